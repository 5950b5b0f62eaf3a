//! Waits for a connection's first request where that costs nearly nothing: in the system's buffer, not in ours.

use std::io;
use std::io::ErrorKind::WouldBlock;

use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Of a header that is longer than this, the rest is waited for by whoever reads it.
const LOOKED_AT_BYTES: usize = 8 << 10;

const TOO_LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Waits until the header of a first request has come whole, or the other side says no more. Nothing is read.
///
/// # Errors
/// If the connection is broken.
pub(super) async fn has_come(stream: &TcpStream) -> io::Result<()> {
    let look = || {
        let mut header = [0; LOOKED_AT_BYTES];
        let (come, _) = rustix::net::recv(stream, &mut header[..], RecvFlags::PEEK)?;
        let come = header.get(..come).unwrap_or_default();
        // What is there stays there, so it must be said by hand that nothing can be done before more comes.
        if come.is_empty() || come.len() == LOOKED_AT_BYTES || ends(come) { Ok(()) } else { Err(WouldBlock.into()) }
    };
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        match stream.try_io(Interest::READABLE, look) {
            // Half a header, and no more will come: a closed stream is ready for ever.
            Err(error) if error.kind() == WouldBlock && ready.is_read_closed() => return Ok(()),
            Err(error) if error.kind() == WouldBlock => {}
            looked => return looked,
        }
    }
}

/// Says to whoever did not finish asking that it took too long.
pub(super) fn refuse(stream: &TcpStream) {
    let mut header = [0; LOOKED_AT_BYTES];
    let mut began = false;
    // A connection that is closed before all that came is read is reset, and the answer lost with it. The runtime takes it
    // that nothing is there.
    while rustix::net::recv(stream, &mut header[..], RecvFlags::empty()).is_ok_and(|(read, _)| read > 0) {
        began = true;
    }
    if began && let Err(error) = stream.try_write(TOO_LATE) {
        tracing::debug!(%error, "connection ended");
    }
}

/// Whether the empty line is there that ends a header. Lines may end without a carriage return.
fn ends(header: &[u8]) -> bool {
    header.windows(3).any(|bytes| bytes == b"\n\r\n") || header.windows(2).any(|bytes| bytes == b"\n\n")
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, theirs)
    }

    #[tokio::test]
    async fn a_header_is_waited_for_until_its_last_byte_and_left_to_whoever_reads_it() {
        let header = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let (ours, mut theirs) = pair().await;
        let waiting = tokio::spawn(async move {
            has_come(&ours).await.unwrap();
            ours
        });
        let (last, before) = header.split_last().unwrap();
        for byte in before {
            theirs.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
        }
        theirs.write_all(&[*last]).await.unwrap();
        let ours = waiting.await.unwrap();
        let mut read = [0; 64];
        ours.readable().await.unwrap();
        assert_eq!(ours.try_read(&mut read).unwrap(), header.len());
    }

    #[tokio::test]
    async fn what_ends_early_or_is_too_long_to_look_at_is_handed_on() {
        for said in [&b""[..], b"GET / HTTP/1.1\r\nhost:"] {
            let (ours, mut theirs) = pair().await;
            theirs.write_all(said).await.unwrap();
            drop(theirs);
            has_come(&ours).await.unwrap();
        }
        let (ours, mut theirs) = pair().await;
        theirs.write_all(&[b'x'; LOOKED_AT_BYTES]).await.unwrap();
        has_come(&ours).await.unwrap();
    }

    #[test]
    fn lines_end_in_two_ways() {
        for header in
            [&b"GET / HTTP/1.1\r\n\r\n"[..], b"GET / HTTP/1.1\n\n", b"GET / HTTP/1.1\na: b\n\nbody", b"G\r\n\r\nbody"]
        {
            assert!(ends(header), "{}", header.escape_ascii());
        }
        for header in [&b""[..], b"\n", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\na: b\r\n\r"] {
            assert!(!ends(header), "{}", header.escape_ascii());
        }
    }
}
