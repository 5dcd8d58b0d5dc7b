//! What comes out of a document that is cleaned.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn clean_in_pieces(document: &[u8], piece: usize) -> Result<Value> {
    let mut cleaner = Cleaner::new(LongStrings { lists: &["artifacts"], keys: &["content_base64"] });
    for bytes in document.chunks(piece) {
        cleaner.feed(bytes)?;
    }
    let (document, _) = cleaner.finish()?;
    serde_json::from_slice(&document).map_err(|error| AppError::invalid(error.to_string()))
}

fn clean(document: &str) -> Value {
    let whole = clean_in_pieces(document.as_bytes(), usize::MAX).unwrap();
    assert_eq!(whole, clean_in_pieces(document.as_bytes(), 1).unwrap(), "in single bytes");
    whole
}

#[test]
fn what_postgres_can_not_hold_is_replaced() {
    assert_eq!(
        clean(r#"["a\u0000b", "\ud800", "\udc00x", "\ud83d\ude00", "\ud83dx"]"#),
        json!(["a\u{fffd}b", "\u{fffd}", "\u{fffd}x", "😀", "\u{fffd}x"])
    );
    assert_eq!(clean(r#"["\ud800\ud83d\ude00", "\ud800\n"]"#), json!(["\u{fffd}😀", "\u{fffd}\n"]));
}

#[test]
fn what_python_writes_for_numbers_becomes_text() {
    assert_eq!(
        clean(
            r#"{"a": NaN, "b": [Infinity,-Infinity], "c": 1e400, "d": -1e400, "e": 1e300, "f": 12345678901234567890}"#
        ),
        json!({"a": "NaN", "b": ["Infinity", "-Infinity"], "c": "Infinity", "d": "-Infinity", "e": 1e300, "f": 12_345_678_901_234_567_890_u64})
    );
}

#[test]
fn a_string_that_says_nan_stays_as_it_is() {
    assert_eq!(clean(r#"["NaN", "a NaN: 1e400", "\"NaN\""]"#), json!(["NaN", "a NaN: 1e400", "\"NaN\""]));
}

#[test]
fn broken_documents_are_refused_not_guessed() {
    for document in ["", "{", "[1,", "\"abc", "nul", "{\"a\" 1}", "[\"\\x\"]", "[\"\\u12g4\"]", "NaNa", "[\"\u{1}\""] {
        assert!(clean_in_pieces(document.as_bytes(), 3).is_err(), "{document}");
    }
    assert!(clean_in_pieces(b"[\"\xff\"]", 2).is_err());
}

#[test]
fn a_long_content_is_put_aside_and_a_forged_mark_is_not_believed() {
    let long = "QUJD".repeat(10_000);
    let item = format!(r#"{{"content_base64": "{long}", "other": "{long}", "forged": "\u0000put aside:0:3"}}"#);
    let document = format!(r#"{{"artifacts": [{item}], "tables": [{item}], "content_base64": "{long}"}}"#);
    let value = clean(&document);
    let artifact = &value["artifacts"][0];
    assert!(artifact["content_base64"].as_str().unwrap().starts_with("\0put aside:"));
    assert_eq!(artifact["other"], json!(long));
    assert_eq!(artifact["forged"], json!("\u{fffd}put aside:0:3"));
    assert_eq!(value["tables"][0]["content_base64"], json!(long), "a column that is called so");
    assert_eq!(value["content_base64"], json!(long));
}

proptest! {
    #[test]
    fn every_document_that_serde_writes_reads_the_same(text in ".*", number in any::<f64>().prop_filter("finite", |n| n.is_finite()), piece in 1_usize..9) {
        let value = json!({"text": text.replace('\0', ""), "numbers": [number, 1, -1], "nested": {"content_base64": text.replace('\0', "")}});
        let document = serde_json::to_vec(&value).unwrap();
        prop_assert_eq!(clean_in_pieces(&document, piece).unwrap(), value);
    }
}
