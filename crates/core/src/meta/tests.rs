use super::*;
use proptest::prelude::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(key, value)| (key.into(), value.into())).collect()
}

fn xattr_map(pairs: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    pairs.iter().map(|&(key, value)| (key.into(), value.into())).collect()
}

fn sample() -> Attributes {
    Attributes {
        meta: Meta {
            mtime_ns: Some(1_700_000_000_123_456_789),
            mode: Some(0o644),
            uid: Some(1000),
            gid: Some(100),
            xattrs: None,
        },
        kind: Some(Kind::File),
        digest: Some(Digest::of(b"x")),
        attempt: Some("7f/12".into()),
        replaced: Some("d41d8cd98f00b204e9800998ecf8427e-3".into()),
        md5: Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]),
    }
}

#[test]
fn the_three_formats() {
    let digest = format!("{}@1700000000.123456789", Digest::of(b"x"));
    let ours = [
        ("tidelock-digest", &*digest),
        ("tidelock-attempt", "7f/12"),
        ("tidelock-replaced", "d41d8cd98f00b204e9800998ecf8427e-3"),
        ("md5chksum", "AAECAwQFBgcICQoLDA0O/w=="),
        ("mtime", "1700000000.123456789"),
    ];
    let with = |more: &[(&str, &str)]| map(&[&ours, more].concat());
    let owner = [("uid", "1000"), ("gid", "100")];
    assert_eq!(encode(&sample(), MetaFormat::Minimal).keys, with(&[]));
    assert_eq!(encode(&sample(), MetaFormat::Rclone).keys, with(&[&owner[..], &[("mode", "0100644")]].concat()));
    let s3fs = [("mode", "33188"), ("ctime", "1700000000.123456789"), ("atime", "1700000000.123456789")];
    assert_eq!(encode(&sample(), MetaFormat::S3fs).keys, with(&[&owner[..], &s3fs].concat()));
}

#[test]
fn a_digest_is_worthless_beside_another_time() {
    let mut keys = encode(&sample(), MetaFormat::S3fs).keys;
    assert!(decode(&keys).digest.is_some());
    keys.insert("mtime".into(), "1700000001.5".into());
    assert_eq!(decode(&keys).digest, None);
}

#[test]
fn links_and_folders_are_told_by_their_mode() {
    for (kind, rclone, s3fs) in
        [(Kind::Link, "0120777", "41471"), (Kind::Dir, "040777", "16895"), (Kind::File, "0100777", "33279")]
    {
        let meta = Meta { mode: Some(0o777), ..Meta::default() };
        let attributes = Attributes { meta, kind: Some(kind), ..Attributes::default() };
        for (format, expected) in [(MetaFormat::Rclone, rclone), (MetaFormat::S3fs, s3fs)] {
            let keys = encode(&attributes, format).keys;
            assert_eq!(keys.get("mode").map(String::as_str), Some(expected));
            assert_eq!(decode(&keys), attributes);
        }
    }
    let unknown = Attributes { kind: Some(Kind::Link), ..Attributes::default() };
    assert_eq!(decode(&encode(&unknown, MetaFormat::S3fs).keys).kind, Some(Kind::Link));
    assert_eq!(encode(&unknown, MetaFormat::Rclone).keys, map(&[]));
}

#[test]
fn what_others_write_is_read() {
    let list = "atime:1600000001/ctime:1600000002/gid:20/gname:staff/md5:000102030405060708090a0b0c0d0eff\
                /mode:33188/mtime:1600000000/uid:501/uname:ann";
    let mc = "atime:1600000001#5/gid:20/mode:33188/mtime:1600000000#7/uid:501";
    let all = |mtime_ns: i64| (Some(mtime_ns), Some(0o644), Some(501), Some(20), Some(Kind::File));
    let s = 1_600_000_000_000_000_000;
    for (pairs, expected) in [
        (vec![("s3cmd-attrs", list)], all(s)),
        (vec![("Mc-Attrs", mc)], all(s + 7)),
        (
            vec![
                ("goog-reserved-file-mtime", "1600000000"),
                ("goog-reserved-posix-mode", "100644"),
                ("goog-reserved-posix-uid", "501"),
                ("goog-reserved-posix-gid", "20"),
            ],
            all(s),
        ),
        (
            vec![
                ("mtime", "2020-09-13T12:26:40Z"),
                ("mode", "0100644"),
                ("uid", "501"),
                ("gid", "20"),
                ("atime", "2020-09-13T12:26:41Z"),
                ("btime", "x"),
                ("rdev", "1f"),
            ],
            all(s),
        ),
        (vec![("owner", "501"), ("group", "20"), ("permissions", "33188"), ("mtime", "1600000000")], all(s)),
        (
            vec![
                ("file-mtime", "1600000000000000000ns"),
                ("file-permissions", "0100644"),
                ("file-owner", "501"),
                ("file-group", "20"),
            ],
            all(s),
        ),
        (vec![("s3sync_origin_last_modified", "2020-09-13T12:26:40+00:00")], (Some(s), None, None, None, None)),
        (vec![("mtime", "1600000000"), ("s3cmd-attrs", "mtime:5/uid:6")], (Some(s), None, Some(6), None, None)),
    ] {
        let read = decode(&map(&pairs));
        let found = (read.meta.mtime_ns, read.meta.mode, read.meta.uid, read.meta.gid, read.kind);
        assert_eq!(found, expected, "{pairs:?}");
        assert_eq!(read.meta.xattrs, None, "{pairs:?}");
    }
    let md5 = decode(&map(&[("s3cmd-attrs", list)])).md5;
    assert_eq!(md5, sample().md5);
    // Disclaimed, all but what it says of the bytes is still there.
    let mut keys =
        map(&[("S3cmd-attrs", list), ("MD5chksum", "AAECAwQFBgcICQoLDA0O/w=="), ("mine", "1"), ("bare", "")]);
    keys.insert("tidelock-digest".to_owned(), format!("{}@1.5", Digest::of(b"x")));
    keys.insert("mtime".to_owned(), "1.5".to_owned());
    let before = decode(&keys);
    disclaim(&mut keys);
    assert_eq!(decode(&keys), Attributes { digest: None, md5: None, ..before.clone() });
    assert!(keys.contains_key("bare"), "an empty value is somebody's own");
    assert!(before.digest.is_some() && before.md5.is_some() && before.meta.gid.is_some());
}

#[test]
fn garbage_is_passed_over() {
    for (key, values) in [
        (
            "mtime",
            &["", "x", "1.", ".5", "1.2.3", "--1", "+1", "1e9", "99999999999999", "2020-13-01T00:00:00Z", "é"][..],
        ),
        ("mode", &["", "x", "0x1ff", "0999", "-1", "+420", "99999999", "07777777", "4294967296"]),
        ("uid", &["", "-1", "+1", "4294967295", "4294967296", "ann", "0x1"]),
        ("gid", &["4294967295", "x"]),
        ("md5chksum", &["", "AAEC", "!!!!", "AAECAwQFBgcICQoLDA0O/w=A", "é"]),
        ("tidelock-digest", &["", "00", "zz", "é"]),
        ("tidelock-attempt", &["", "%", "%4", "%zz", "%FF"]),
        ("s3cmd-attrs", &["", "/", ":", "mtime:", "uid:-1/gid:x/mode:9x/md5:00", "mtime/uid"]),
        ("mc-attrs", &["mtime:#", "mtime:1#", "mtime:1#-5", "mtime:1#9999999999"]),
        ("xattr", &["", "%7B", "[]", "%7B%22a%22%3A1%7D"]),
        ("tidelock-xattrs", &["", "a", "a:é", "a:A", "%FF:AA=="]),
    ] {
        for value in values {
            let read = decode(&map(&[(key, value)]));
            assert_eq!(read, Attributes::default(), "{key}: {value:?}");
        }
    }
}

#[test]
fn times() {
    for (text, expected) in [
        ("0", Some(0)),
        ("1.5", Some(1_500_000_000)),
        ("-1.5", Some(-1_500_000_000)),
        ("1.0000000019", Some(1_000_000_001)),
        ("1700000000.123456789", Some(1_700_000_000_123_456_789)),
        ("9223372036.854775807", Some(i64::MAX)),
        ("9223372036.854775808", None),
        ("-9223372036.854775808", Some(i64::MIN)),
        ("1970-01-01T00:00:00Z", Some(0)),
        ("1969-12-31T23:59:59.5Z", Some(-500_000_000)),
        ("2000-02-29 12:00:00z", Some(951_825_600_000_000_000)),
        ("1900-02-29T00:00:00Z", None),
        ("2023-11-14T22:13:20.123456789+01:30", Some(1_699_994_600_123_456_789)),
        ("2023-11-14T22:13:20-00:30", Some(1_700_001_800_000_000_000)),
        ("2023-11-14T22:13:20", None),
        ("2023-11-14T22:13:20.Z", None),
        ("2023-11-14T22:13:20.1", None),
        ("2023-11-14T24:00:00Z", None),
        ("2023-11-1éT22:13:20Z", None),
        ("1677-09-21T00:12:43.145224192Z", Some(i64::MIN)),
        ("1677-09-21T00:12:43.145224191Z", None),
        ("0000-01-01T00:00:00Z", None),
    ] {
        assert_eq!(time::parse(text), expected, "{text}");
    }
}

#[test]
fn plain_attributes_have_their_own_keys() {
    let xattrs = xattr_map(&[
        ("user.author", b"Ann B."),
        ("user.Upper", b"x"),
        ("user.mode", b"not ours"),
        ("user.with_underscore", b"x"),
        ("user.binary", b"\0\xff"),
        ("user.empty", b""),
        ("user.spaced", b" x"),
        ("user.word", b"=?utf-8?q?x?="),
        ("user.tidelock-x", b"x"),
    ]);
    let meta = Meta { xattrs: Some(xattrs), ..Meta::default() };
    let attributes = Attributes { meta, ..Attributes::default() };
    let keys = encode(&attributes, MetaFormat::Rclone).keys;
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["author", "tidelock-xattrs"]);
    assert_eq!(keys["author"], "Ann B.");
    assert_eq!(decode(&keys), attributes);
    assert!(encode(&attributes, MetaFormat::Minimal).keys.is_empty());
}

#[test]
fn no_attributes_and_unknown_attributes_are_told_apart() {
    for format in [MetaFormat::Rclone, MetaFormat::S3fs] {
        for xattrs in [None, Some(BTreeMap::new())] {
            let meta = Meta { xattrs, ..Meta::default() };
            let attributes = Attributes { meta, ..Attributes::default() };
            assert_eq!(decode(&encode(&attributes, format).keys), attributes);
        }
    }
    let foreign = decode(&map(&[("department", "sales")]));
    assert_eq!(foreign.meta.xattrs, Some(xattr_map(&[("user.department", b"sales")])));
}

#[test]
fn s3fs_attributes_are_one_json_value() {
    let attributes = Attributes {
        meta: Meta { xattrs: Some(xattr_map(&[("user.a", b"x")])), ..Meta::default() },
        ..Attributes::default()
    };
    let keys = encode(&attributes, MetaFormat::S3fs).keys;
    assert_eq!(keys["xattr"], "%7B%22user.a%22%3A%22eA%3D%3D%22%7D");
}

#[test]
fn attributes_that_do_not_fit_are_left_out_whole() {
    let large = |size: usize| Attributes {
        meta: Meta { xattrs: Some(xattr_map(&[("user.a", &vec![b'x'; size])])), ..sample().meta },
        ..sample()
    };
    for format in [MetaFormat::Rclone, MetaFormat::S3fs] {
        let rest = encode(&sample(), format);
        assert_eq!(rest.problem, None);
        for size in 0..2500 {
            let encoded = encode(&large(size), format);
            assert!(size_bytes(&encoded.keys) <= METADATA_MAX_BYTES);
            match encoded.problem {
                None => assert_eq!(decode(&encoded.keys), large(size)),
                Some(_) => {
                    assert_eq!(encoded.keys, rest.keys);
                    assert!(size > 800, "{size} bytes should fit");
                }
            }
        }
        assert!(encode(&large(2500), format).problem.is_some());
    }
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let xattrs =
        prop::collection::btree_map("user\\.([a-z.-]{1,6}|\\PC{1,4})", prop::collection::vec(any::<u8>(), 0..6), 0..4);
    let plain = prop::collection::btree_map("user\\.[a-z]{1,6}", "[ -~]{0,9}".prop_map(String::into_bytes), 0..4);
    let meta = (
        any::<Option<i64>>(),
        prop::option::of(0..=0o7777_u32),
        prop::option::of(0..u32::MAX),
        prop::option::of(0..u32::MAX),
        prop::option::of(prop_oneof![xattrs, plain]),
    )
        .prop_map(|(mtime_ns, mode, uid, gid, xattrs)| Meta { mtime_ns, mode, uid, gid, xattrs });
    let kind = prop::option::of(prop::sample::select(vec![Kind::File, Kind::Dir, Kind::Link]));
    (
        meta,
        kind,
        any::<Option<[u8; 32]>>(),
        prop::option::of("\\PC{1,20}"),
        prop::option::of("\\PC{1,20}"),
        any::<Option<[u8; 16]>>(),
    )
        .prop_map(|(meta, kind, digest, attempt, replaced, md5)| Attributes {
            meta,
            kind,
            digest: digest.map(Digest),
            attempt,
            replaced,
            md5,
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(attributes in attributes()) {
        for format in [MetaFormat::Rclone, MetaFormat::S3fs, MetaFormat::Minimal] {
            let encoded = encode(&attributes, format);
            prop_assert_eq!(encoded.problem, None);
            for (key, value) in &encoded.keys {
                prop_assert!(key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b)), "{}", key);
                prop_assert!(!value.is_empty() && value.trim() == value, "{:?}", value);
                prop_assert!(value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{:?}", value);
            }
            let mut expected = attributes.clone();
            if format == MetaFormat::Minimal {
                expected.meta = Meta { mtime_ns: attributes.meta.mtime_ns, ..Meta::default() };
            }
            if expected.kind == Some(Kind::Link) {
                expected.meta.mode = expected.meta.mode.map(|mode| mode & 0o777);
            }
            if expected.meta.mode.is_none() {
                let told = format == MetaFormat::S3fs && expected.kind == Some(Kind::Link);
                expected.kind = expected.kind.filter(|_| told);
                expected.meta.mode = told.then_some(0o777);
            }
            prop_assert_eq!(decode(&encoded.keys), expected);
        }
    }

    #[test]
    fn nothing_makes_it_panic(pairs in prop::collection::btree_map(
        prop::sample::select(vec!["mtime", "mode", "uid", "md5chksum", "s3cmd-attrs", "mc-attrs", "xattr",
            "tidelock-xattrs", "tidelock-attempt", "file-mtime", "s3sync_origin_last_modified", "Other"]),
        "\\PC{0,12}|[0-9:#.%+/TZ-]{0,24}", 0..6)) {
        let keys = pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let read = decode(&keys);
        let again = encode(&read, MetaFormat::Rclone);
        prop_assert_eq!(decode(&again.keys), read, "what was understood can be written");
    }

    #[test]
    fn base64_goes_both_ways(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let text = escape::to_base64(&bytes);
        prop_assert_eq!(text.len() % 4, 0);
        prop_assert_eq!(escape::from_base64(&text), Some(bytes));
    }
}

/// rclone's documentation shows a leading zero; its program writes none.
#[test]
fn modes_are_read_in_the_base_they_were_written_in() {
    for (text, mode, kind) in [
        ("100644", 0o644, Some(Kind::File)),
        ("0100640", 0o640, Some(Kind::File)),
        ("104755", 0o4755, Some(Kind::File)),
        ("120777", 0o777, Some(Kind::Link)),
        ("40755", 0o755, Some(Kind::Dir)),
        ("42755", 0o2755, Some(Kind::Dir)),
        ("41777", 0o1777, Some(Kind::Dir)),
        ("33188", 0o644, Some(Kind::File)),
        ("41471", 0o777, Some(Kind::Link)),
        ("16877", 0o755, Some(Kind::Dir)),
        ("0644", 0o644, None),
        ("420", 0o644, None),
    ] {
        let read = decode(&map(&[("mode", text)]));
        assert_eq!((read.meta.mode, read.kind), (Some(mode), kind), "{text}");
    }
}
