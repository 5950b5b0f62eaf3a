//! What a run asked, as it is recorded: whole where it is small enough, cut where it is not.

use serde_json::Value;

use super::record::AskedRecord;
use crate::lookups::{Asked, Unavailable};

/// An answer larger than this is recorded cut.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// All answers of a run together; beyond that, further ones are recorded without their content.
const RUN_BYTES_MAX: usize = 1 << 20;

/// Questions of a run that are recorded: a bot that asks more has lost its way.
const QUESTIONS_MAX: usize = 500;

/// The record of what a run asked.
pub(crate) fn record(asked: Vec<Asked>) -> Vec<AskedRecord> {
    let mut left = RUN_BYTES_MAX;
    asked
        .into_iter()
        .take(QUESTIONS_MAX)
        .map(|asked| {
            let record = cut(asked, ANSWER_BYTES_MAX.min(left));
            left = left.saturating_sub(size(&record.asked));
            record
        })
        .collect()
}

/// A text loses its end and a list its last entries, so that a replay still reads them; anything else is left out.
fn cut(mut asked: Asked, bytes_max: usize) -> AskedRecord {
    let bytes = size(&asked);
    if bytes <= bytes_max {
        return AskedRecord { asked, cut: None };
    }
    let note = match &mut asked.told.answer {
        Ok(Value::String(text)) => {
            let whole = text.len();
            // Escapes can make a text longer as JSON: half of it is surely small enough, nearly.
            text.truncate(text.floor_char_boundary(bytes_max / 2));
            format!("only the first {} of {whole} bytes are recorded", text.len())
        }
        Ok(Value::Array(list)) => {
            let (whole, mut taken) = (list.len(), 0);
            list.retain(|entry| {
                taken += json_bytes(entry) + 1;
                taken <= bytes_max
            });
            format!("only the first {} of {whole} entries are recorded", list.len())
        }
        answer => {
            let note = format!("{bytes} bytes, too large to be recorded");
            *answer = Err(Unavailable::for_good(note.clone()));
            note
        }
    };
    AskedRecord { asked, cut: Some(note) }
}

fn size(asked: &Asked) -> usize {
    match &asked.told.answer {
        Ok(value) => json_bytes(value),
        Err(unavailable) => unavailable.reason.len(),
    }
}

/// Counts without writing.
fn json_bytes(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        // It cannot be written, so it is not recorded either.
        Err(_) => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::lookups::{Question, Told};

    fn recorded(answer: Value) -> AskedRecord {
        record(vec![Asked { question: Question::Delivery, told: Told::free(Ok(answer)) }]).pop().unwrap()
    }

    #[test]
    fn a_small_answer_is_recorded_whole() {
        let record = recorded(json!({"a": [1, 2]}));
        assert_eq!(record.cut, None);
        assert_eq!(record.asked.told.answer, Ok(json!({"a": [1, 2]})));
    }

    #[test]
    fn a_large_answer_keeps_its_shape_where_it_can() {
        let text = recorded(json!("ä".repeat(100_000)));
        assert_eq!(text.cut.as_deref(), Some("only the first 32768 of 200000 bytes are recorded"));
        let list = recorded(json!((0..100_000).collect::<Vec<_>>()));
        assert_eq!(list.cut.as_deref(), Some("only the first 12774 of 100000 entries are recorded"));
        assert!(list.asked.told.answer.unwrap().is_array());
        let object = recorded(json!({"text": "x".repeat(100_000)}));
        assert_eq!(object.asked.told.answer.unwrap_err().reason, "100011 bytes, too large to be recorded");
    }
}
