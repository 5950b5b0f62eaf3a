//! What is left of an object or a log before anybody sees it: no bookkeeping of the server, no secrets.

use serde_json::Value;

use crate::clients::secrets::{REMOVED, redact, redact_all};

/// The whole object as somebody applied it, a second time.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object without managed fields and without secrets.
pub(super) fn object(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    pairs(&mut object);
    redact_all(&mut object);
    object
}

/// The end of a log that fits, in whole lines, without secrets.
pub(super) fn log(text: &str, bytes_max: u32) -> String {
    let max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let Some(over) = text.len().checked_sub(max).filter(|over| *over > 0) else {
        return redact(text).into_owned();
    };
    let begins = (over..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let (before, kept) = text.split_at_checked(begins).unwrap_or(("", text));
    let whole = if before.ends_with('\n') { kept } else { kept.split_once('\n').map_or(kept, |(_, rest)| rest) };
    redact(whole).into_owned()
}

/// Takes out secrets that are told from their neighbour: `{"name": "DB_PASSWORD", "value": …}`, `["--token", …]`.
fn pairs(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let pair = (fields.get("name").and_then(Value::as_str), fields.get("value").and_then(Value::as_str));
            if let (Some(name), Some(value)) = pair
                && gives_away(&format!("{name}={value}"))
            {
                fields.insert("value".to_owned(), Value::from(REMOVED));
            }
            fields.values_mut().for_each(pairs);
        }
        Value::Array(items) => {
            let mut flag: Option<String> = None;
            for item in items {
                let next = item.as_str().filter(|text| text.starts_with('-')).map(str::to_owned);
                let told =
                    flag.take().zip(item.as_str()).is_some_and(|(flag, text)| gives_away(&format!("{flag} {text}")));
                if told {
                    *item = Value::from(REMOVED);
                }
                pairs(item);
                flag = next;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn gives_away(text: &str) -> bool {
    redact(text).ends_with(REMOVED)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_loses_bookkeeping_and_secrets_and_nothing_else() {
        let pod = json!({
            "metadata": {"name": "checkout-1", "managedFields": [{}], "annotations": {(LAST_APPLIED): "{}", "note": "x"}},
            "spec": {"containers": [{
                "name": "app", "args": ["--password=hunter2", "--port=80", "--token", "hunter2x"],
                "env": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "PORT", "value": "80"},
                    {"name": "DB", "value": "postgres://app:hunter2@db/shop"}],
            }]},
            "status": {"message": "token=0123456789abcdef0123", "phase": "Failed"},
        });
        insta::assert_json_snapshot!(object(pod), @r#"
        {
          "metadata": {
            "annotations": {
              "note": "x"
            },
            "name": "checkout-1"
          },
          "spec": {
            "containers": [
              {
                "args": [
                  "--password=[secret removed]",
                  "--port=80",
                  "--token",
                  "[secret removed]"
                ],
                "env": [
                  {
                    "name": "DB_PASSWORD",
                    "value": "[secret removed]"
                  },
                  {
                    "name": "PORT",
                    "value": "80"
                  },
                  {
                    "name": "DB",
                    "value": "postgres://app:[secret removed]@db/shop"
                  }
                ],
                "name": "app"
              }
            ]
          },
          "status": {
            "message": "token=[secret removed]",
            "phase": "Failed"
          }
        }
        "#);
    }

    #[test]
    fn the_end_of_a_log_is_kept_in_whole_lines() {
        assert_eq!(log("one\ntwo\nthree\n", 100), "one\ntwo\nthree\n");
        assert_eq!(log("one\ntwo\nthree\n", 10), "two\nthree\n");
        assert_eq!(log("one\ntwo\nthree\n", 8), "three\n");
        assert_eq!(log("äöü\nß", 4), "ß");
        assert_eq!(log("password=hunter2", 100), format!("password={REMOVED}"));
    }
}
