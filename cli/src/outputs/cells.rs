//! Single values: text that spells a number or a truth value becomes one.

use serde_json::{Number, Value};

/// Whether a value can stand alone, as a result or in a cell.
pub fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

/// The value that a scalar means. Lists and objects stay as they are.
pub fn coerce(value: &Value) -> Value {
    match value {
        Value::String(text) => from_text(text),
        other => other.clone(),
    }
}

/// The value that a piece of text means.
pub fn from_text(text: &str) -> Value {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if let Ok(whole) = text.parse::<i64>()
        && !text.starts_with('+')
    {
        return whole.into();
    }
    match text.parse::<f64>() {
        Ok(number) => from_float(number, text),
        Err(_) => Value::String(text.to_owned()),
    }
}

/// JSON has no infinity and no not-a-number: those are written out, as everywhere in Trace.
fn from_float(number: f64, text: &str) -> Value {
    if let Some(number) = Number::from_f64(number) {
        return Value::Number(number);
    }
    let name = match text.to_ascii_lowercase().trim_start_matches(['+', '-']) {
        "nan" => "NaN",
        "inf" | "infinity" if number > 0.0 => "Infinity",
        "inf" | "infinity" => "-Infinity",
        // Such as 1e400: too large for a float, but a number all the same.
        _ => text,
    };
    Value::String(name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_that_spells_a_value_becomes_it() {
        for (text, value) in [
            (" 12 ", json!(12)),
            ("-3", json!(-3)),
            ("0.5", json!(0.5)),
            ("1e-4", json!(1e-4)),
            ("TRUE", json!(true)),
            ("false", json!(false)),
            ("", json!("")),
            ("resnet 50", json!("resnet 50")),
            ("nan", json!("NaN")),
            ("inf", json!("Infinity")),
            ("-Infinity", json!("-Infinity")),
            ("1e400", json!("1e400")),
            ("99999999999999999999", json!(1e20)),
        ] {
            assert_eq!(from_text(text), value, "{text}");
        }
    }

    #[test]
    fn other_values_stay() {
        for value in [json!(null), json!(1.5), json!([1]), json!({"a": "1"})] {
            assert_eq!(coerce(&value), value);
        }
    }
}
