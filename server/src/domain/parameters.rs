//! Parameters: the values of a config file by their paths, such as `train.epochs`.

use std::collections::BTreeMap;

use serde_json::Value;

/// So many parameters of a file are told.
const PARAMETERS_MAX: usize = 2_000;
/// So much of a value is told, in characters.
const VALUE_MAX_CHARS: usize = 200;

/// The parameters of a file in JSON or YAML, known by the ending of its path. `None`: it is another file, or broken.
pub fn read(path: &str, text: &str) -> Option<BTreeMap<String, String>> {
    let (_, ending) = path.rsplit_once('.')?;
    let document: Value = match ending.to_lowercase().as_str() {
        "json" => serde_json::from_str(text).ok()?,
        "yaml" | "yml" => serde_saphyr::from_str(text).ok()?,
        _ => return None,
    };
    let mut parameters = BTreeMap::new();
    flatten("", document.as_object()?, &mut parameters);
    Some(parameters)
}

/// Lists stay whole: their places say little when one has another length.
fn flatten(above: &str, object: &serde_json::Map<String, Value>, parameters: &mut BTreeMap<String, String>) {
    for (name, value) in object {
        if parameters.len() >= PARAMETERS_MAX {
            return;
        }
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Object(inner) if !inner.is_empty() => flatten(&path, inner, parameters),
            Value::String(text) => _ = parameters.insert(path, short(text)),
            other => _ = parameters.insert(path, short(&other.to_string())),
        }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(VALUE_MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> Vec<String> {
        read(path, text).unwrap().into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn json_and_yaml_tell_the_same_parameters() {
        let expected = ["kd.alpha=0.7", "kd.layers=[1,2]", "loss=ce_kd", "seed=1"];
        let json = r#"{"loss": "ce_kd", "seed": 1, "kd": {"alpha": 0.7, "layers": [1, 2]}}"#;
        let yaml = "loss: ce_kd\nseed: 1\nkd:\n  alpha: 0.7\n  layers: [1, 2]\n";
        assert_eq!(told("configs/a.json", json), expected);
        assert_eq!(told("configs/a.YAML", yaml), expected);
    }

    #[test]
    fn what_has_no_parameters_tells_none() {
        for (path, text) in
            [("a.json", "{"), ("a.json", "[1]"), ("a.toml", "a = 1"), ("Makefile", "a: b"), ("a.yml", "")]
        {
            assert_eq!(read(path, text), None, "{path}");
        }
        let long = format!("{{\"a\": \"{}\"}}", "é".repeat(1_000));
        assert_eq!(read("a.json", &long).unwrap()["a"].chars().count(), VALUE_MAX_CHARS + 1);
        let many: serde_json::Map<String, Value> =
            (0..3_000).map(|number| (number.to_string(), number.into())).collect();
        assert_eq!(read("a.json", &Value::Object(many).to_string()).unwrap().len(), PARAMETERS_MAX);
    }
}
