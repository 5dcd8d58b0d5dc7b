//! A `RunSpec`, checked by the rules that `otrace run` has. Pure: nothing is asked, recorded or started.

use otrace_run_spec::{RunSpec, yaml};
use serde_json::{Value, json};

use crate::arguments::ValidateRunSpec;
use crate::budget;

/// So much of a long command line is told, in bytes of JSON.
const COMMAND_MAX: usize = 8_000;

/// Whether it keeps the rules. A wrong one is no failure of the tool: what was asked is answered.
pub(crate) fn check(asked: ValidateRunSpec) -> Value {
    let spec = match RunSpec::from_value(&Value::Object(asked.spec)) {
        Ok(spec) => spec,
        Err(mistakes) => {
            let mut mistakes = json!(mistakes.as_slice());
            budget::shorten(&mut mistakes, budget::ROOM);
            return json!({"valid": false, "mistakes": mistakes});
        }
    };
    let told = json!({"valid": true, "command_line": spec.command_line(), "yaml": yaml::render(&spec)});
    if budget::size(&told) <= budget::ROOM {
        return told;
    }
    // Cut, it would be another run's.
    json!({"valid": true, "command_line": budget::clip(&spec.command_line(), COMMAND_MAX), "yaml": Value::Null})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(spec: &Value) -> Value {
        check(ValidateRunSpec { spec: spec.as_object().expect("an object").clone() })
    }

    #[test]
    fn an_answer_fits_however_long_the_run_spec_is() {
        let long = "\"".repeat(50_000);
        let told = checked(&json!({"intent": "i", "setup": "s", "command": ["ls", long], "expected_log_paths": ["x"]}));
        assert!(told["valid"] == true && told["yaml"].is_null() && budget::size(&told) <= budget::ROOM, "{told}");
        let fields = (0..2_000).map(|number| (format!("field {number}"), Value::Null)).collect();
        let told = checked(&Value::Object(fields));
        assert!(told["valid"] == false && budget::size(&told["mistakes"]) <= budget::ROOM, "{told}");
        assert_eq!(told["mistakes"][0], "unknown RunSpec field: field 0");
    }
}
