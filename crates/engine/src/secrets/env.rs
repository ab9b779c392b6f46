//! Keys that the environment says, and nothing else does.
//!
//! For profiles that want no other place asked: a variable that is missing is an
//! error, never a reason to look elsewhere.

use super::{Error, ErrorKind, Result, Secret};

/// An access key as the environment says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvKeys {
    /// The access key's id.
    pub id: String,
    /// The secret key.
    pub secret: Secret,
    /// The session token of short-lived keys.
    pub token: Option<Secret>,
}

impl EnvKeys {
    /// Reads the three variables by whoever looks them up.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let said = |name: &str| variable(name).filter(|value| !value.is_empty());
        let wanted = |name: &str| {
            said(name).ok_or_else(|| {
                let what = format!("the profile takes its credentials from the environment, where {name} is not set");
                Error::new(ErrorKind::Missing, format!("{what}; set it, or give the profile other `credentials`"))
            })
        };
        Ok(Self {
            id: wanted("AWS_ACCESS_KEY_ID")?,
            secret: Secret::new(wanted("AWS_SECRET_ACCESS_KEY")?),
            token: said("AWS_SESSION_TOKEN").map(Secret::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_are_needed_and_empty_is_not_set() {
        let with = |secret: &'static str| {
            EnvKeys::read(move |name| match name {
                "AWS_ACCESS_KEY_ID" => Some("AKID".to_owned()),
                "AWS_SECRET_ACCESS_KEY" => Some(secret.to_owned()),
                _ => None,
            })
        };
        let keys = with("canary").expect("both");
        assert_eq!((keys.id.as_str(), keys.secret.expose(), &keys.token), ("AKID", "canary", &None));
        assert!(!format!("{keys:?}").contains("canary"));
        let error = with("").expect_err("empty");
        assert!(error.message.contains("AWS_SECRET_ACCESS_KEY is not set"), "{error}");
    }
}
