//! The JSON schema of the configuration file, for editors.
//!
//! Made of the types and their doc comments; a copy is kept as
//! docs/config.schema.json, and a test compares the two.

use super::Config;
use serde_json::Value;

/// The schema.
pub fn schema() -> Value {
    schemars::schema_for!(Config).into()
}
