use super::wire::length;
use super::*;

#[test]
fn properties_are_aligned() {
    let mut writer = Writer::default();
    writer.properties(&[("A", Value::Bool(true)), ("B", Value::U64(7))]);
    let mut expected = Vec::new();
    expected.extend_from_slice(&40u32.to_ne_bytes());
    expected.extend_from_slice(&[0; 4]); // to the struct
    expected.extend_from_slice(&1u32.to_ne_bytes());
    expected.extend_from_slice(b"A\0\x01b\0");
    expected.extend_from_slice(&[0; 3]); // to the boolean
    expected.extend_from_slice(&1u32.to_ne_bytes());
    expected.extend_from_slice(&1u32.to_ne_bytes());
    expected.extend_from_slice(b"B\0\x01t\0");
    expected.extend_from_slice(&[0; 3]);
    expected.extend_from_slice(&[0; 4]);
    expected.extend_from_slice(&7u64.to_ne_bytes());
    let length = u32::try_from(expected.len() - 8).unwrap();
    expected[..4].copy_from_slice(&length.to_ne_bytes());
    assert_eq!(writer.0, expected);
}

#[test]
fn a_call_is_read_back() {
    let target = Target { destination: "d.e", path: "/p", interface: "i.f" };
    let bytes = encode(&target, "Member", "s", b"\x01\0\0\0x\0", 9);
    assert_eq!(bytes[..4], [ENDIAN, 1, 0, 1]);
    let fields = u32::from_ne_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let body = bytes[16 + fields.next_multiple_of(8)..].to_vec();
    let message = Message::parse(&bytes[16..16 + fields], 1, body).unwrap();
    assert_eq!((message.member.as_str(), message.string(false).unwrap().as_str()), ("Member", "x"));
}

#[test]
fn short_messages_are_errors() {
    for cut in 0..6 {
        let body = b"\x02\0\0\0xy"[..cut].to_vec();
        assert!(Message { body, ..Message::default() }.string(false).is_err());
    }
    assert!(Message::parse(&[3, 1, b's'], 1, vec![]).is_err());
}

fn job_removed(job: &str) -> Vec<u8> {
    let mut body = Writer::default();
    body.u32(1).string(job).string("x.scope").string("done");
    let target = Target { destination: ":1.1", path: "/org/freedesktop/systemd1", interface: "i.f" };
    let mut signal = encode(&target, "JobRemoved", "uoss", &body.0, 5);
    signal[1] = SIGNAL;
    signal
}

fn reply(serial: u32, job: &str) -> Vec<u8> {
    let mut body = Writer::default();
    body.string(job);
    let mut writer = Writer(vec![ENDIAN, METHOD_RETURN, 0, 1]);
    writer.u32(length(body.0.len())).u32(6);
    writer.array(8, |writer| {
        writer.0.push(5);
        writer.signature("u").u32(serial);
    });
    writer.align(8);
    writer.0.extend_from_slice(&body.0);
    writer.0
}

/// A server of a few lines: authentication, a signal before the reply, the reply.
#[test]
fn a_job_may_end_before_the_reply_comes() {
    let path = std::env::temp_dir().join(format!("rtrun-bus-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0u8; b"\0AUTH EXTERNAL\r\nDATA\r\n".len()];
        stream.read_exact(&mut hello).unwrap();
        stream.write_all(b"DATA\r\nOK 0123\r\n").unwrap();
        let mut begin = [0u8; 7];
        stream.read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"BEGIN\r\n");
        let mut call = [0u8; 16];
        stream.read_exact(&mut call).unwrap();
        stream.write_all(&job_removed("/job/7")).unwrap();
        stream.write_all(&reply(1, "/job/7")).unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    });
    let mut connection = Connection::open(&path, true).unwrap();
    let target = Target { destination: "d.e", path: "/p", interface: "i.f" };
    let job = connection
        .call(&target, "StopUnit", "s", |body| {
            body.string("x");
        })
        .unwrap()
        .string(false)
        .unwrap();
    assert_eq!(connection.wait_job(&job).unwrap(), "done");
    drop(connection);
    server.join().unwrap();
    std::fs::remove_file(&path).unwrap();
}
