//! Server-sent events as they come.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

/// Largest message: an event may carry a body of 25 MB, and JSON writes bytes in more letters.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// A message; a comment without data is one too.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// Empty if it has none.
    pub(crate) id: String,
    /// `event`, empty for a plain message.
    pub(crate) event: String,
    pub(crate) data: Option<String>,
    /// Empty if it has none.
    pub(crate) comment: String,
}

/// The messages of an answer.
pub(crate) struct Messages {
    chunks: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    /// So much of the buffer holds no end of a message.
    searched: usize,
}

impl Messages {
    pub(crate) fn of(answer: reqwest::Response) -> Self {
        let chunks = answer.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec())).boxed();
        Self { chunks, buffer: Vec::new(), searched: 0 }
    }

    /// The next message; none once the stream has ended, in order or not. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            let unread = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(end) = unread.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..self.searched + end + 2).collect();
                self.searched = 0;
                return Some(Message::read(&String::from_utf8_lossy(&block)));
            }
            self.searched = self.buffer.len().saturating_sub(1);
            if self.buffer.len() > MESSAGE_BYTES_MAX {
                return None;
            }
            self.buffer.extend(self.chunks.next().await?.ok()?);
        }
    }
}

impl Message {
    fn read(block: &str) -> Self {
        let mut message = Self::default();
        for line in block.lines().filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "" => value.clone_into(&mut message.comment),
                "id" => value.clone_into(&mut message.id),
                "event" => value.clone_into(&mut message.event),
                "data" => message.data = Some(value.to_owned()),
                _ => {}
            }
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    #[tokio::test]
    async fn messages_are_found_however_they_are_cut() {
        let text = ": caught up\nid: 7\n\nid: 8\ndata: {\"a\": 1}\n\nevent: gone\ndata: {}\n\nid: cut off";
        for size in [1, 2, 3, 7, text.len()] {
            let chunks: Vec<_> = text.as_bytes().chunks(size).map(|chunk| Ok(chunk.to_vec())).collect();
            let mut messages = Messages { chunks: stream::iter(chunks).boxed(), buffer: Vec::new(), searched: 0 };
            let place = messages.next().await.unwrap();
            assert_eq!((place.comment.as_str(), place.id.as_str(), place.data), ("caught up", "7", None));
            let event = messages.next().await.unwrap();
            assert_eq!((event.id.as_str(), event.data.as_deref()), ("8", Some("{\"a\": 1}")));
            assert_eq!(messages.next().await.unwrap().event, "gone");
            assert_eq!(messages.next().await, None);
        }
    }
}
