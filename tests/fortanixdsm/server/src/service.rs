//! The service's JSON, and the faults.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use ct_codecs::{Base64, Decoder, Encoder};
use nojson::{JsonValueKind, RawJson, RawJsonValue};

use crate::certificates::write_secret;
use crate::control::World;
use crate::http::{Request, Response};
use crate::{Result, lock};

/// The API key of a directory, in its file `api-key`.
pub fn api_key(dir: &Path) -> Result<String> {
    let path = dir.join("api-key");
    if !path.exists() {
        let key = "0be5a0d2-0000-4000-8000-00000000aaaa:NotASecretThatAnybodyUses";
        write_secret(&path, &Base64::encode_to_string(key)?)?;
    }
    Ok(fs::read_to_string(path)?.trim().to_owned())
}

/// Answers one request, as it should be or as it was told to; `false` ends the connection.
pub fn answer(
    stream: &mut (impl Read + Write),
    request: &Request,
    world: &Mutex<World>,
) -> io::Result<bool> {
    let act = match request.path.as_str() {
        "/sys/v1/session/auth" => "auth",
        "/sys/v1/session/terminate" => "terminate",
        "/crypto/v1/keys/info" => "info",
        "/crypto/v1/sign" => "sign",
        _ => "other",
    };
    let fault = {
        let mut world = lock(world);
        world.count(act);
        world.fault(act)
    };
    let fault: Vec<&str> = fault.iter().map(String::as_str).collect();
    if fault == ["cut-before"] {
        return Ok(false);
    }
    let right = || right_answer(act, request, &mut lock(world), fault == ["wrong-key"]);
    let number = |word: &str| word.parse::<u64>().unwrap_or(1);
    match *fault.as_slice() {
        [] | ["wrong-key"] => stream.write_all(&right().bytes())?,
        ["status", code] => stream.write_all(&told(number(code), "").bytes())?,
        ["status", code, retry] => {
            let fields = format!("Retry-After: {retry}\r\n");
            stream.write_all(&told(number(code), &fields).bytes())?;
        }
        // After a while, or never.
        ["delay", millis] => {
            thread::sleep(Duration::from_millis(number(millis)));
            stream.write_all(&right().bytes())?;
        }
        ["silent"] => {
            let _ = stream.read(&mut [0; 64])?;
            return Ok(false);
        }
        // A byte now and then.
        ["slow", millis] => {
            for byte in right().bytes() {
                thread::sleep(Duration::from_millis(number(millis)));
                stream.write_all(&[byte])?;
                stream.flush()?;
            }
        }
        ["half"] => {
            let bytes = right().bytes();
            stream.write_all(&bytes[..bytes.len() / 2])?;
            stream.flush()?;
            return Ok(false);
        }
        ["cut-after"] => {
            let _ = right();
            return Ok(false);
        }
        ["close"] => {
            let mut response = right();
            response.fields.push_str("Connection: close\r\n");
            stream.write_all(&response.bytes())?;
            stream.flush()?;
            return Ok(false);
        }
        ["chunked"] => stream.write_all(&right().chunks())?,
        ["garbage"] => stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")?,
        ["malformed"] => {
            let mut response = right();
            response.body.truncate(response.body.len() / 2);
            stream.write_all(&response.bytes())?;
        }
        ["html"] => {
            let page = "<!DOCTYPE html><html><body>Please log in</body></html>";
            stream.write_all(&Response::json(page.to_owned()).bytes())?;
        }
        ["replace", from, to] => {
            let mut response = right();
            let text = String::from_utf8_lossy(&response.body).replace(from, to);
            response.body = text.into_bytes();
            stream.write_all(&response.bytes())?;
        }
        ["giant"] => {
            let length = "Content-Length: 1000000000\r\n";
            stream.write_all(&right().head(length))?;
            endless(stream)?;
        }
        ["giant-chunked"] => {
            stream.write_all(&right().head("Transfer-Encoding: chunked\r\n"))?;
            stream.write_all(b"3B9ACA00\r\n")?;
            endless(stream)?;
        }
        ["giant-head"] => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
            endless(stream)?;
        }
        // The service repeats what it was sent: none of it may be shown.
        ["echo", code] => {
            let text = format!("not with {}", request.authorization);
            let code = u16::try_from(number(code)).unwrap_or(400);
            stream.write_all(&Response::error(code, &text).bytes())?;
        }
        _ => stream.write_all(&Response::error(500, "no such fault").bytes())?,
    }
    stream.flush()?;
    Ok(true)
}

fn told(code: u64, fields: &str) -> Response {
    let mut response = Response::error(u16::try_from(code).unwrap_or(500), "as it was told");
    response.fields.push_str(fields);
    response
}

fn endless(stream: &mut impl Write) -> io::Result<()> {
    for _ in 0..1_000_000 {
        stream.write_all(&[b'x'; 1_000])?;
    }
    Ok(())
}

fn right_answer(act: &str, request: &Request, world: &mut World, is_wrong_key: bool) -> Response {
    match try_answer(act, request, world, is_wrong_key) {
        Ok(response) => response,
        Err(error) => Response::error(400, &format!("Bad request: {error}")),
    }
}

fn try_answer(
    act: &str,
    request: &Request,
    world: &mut World,
    is_wrong_key: bool,
) -> Result<Response> {
    let unauthorized = Response::error(401, "Invalid credentials");
    let is_known = match request.authorization.split_once(' ') {
        Some(("Basic", key)) => key == world.api_key,
        Some(("Bearer", token)) if act != "auth" => world.tokens.contains(token),
        _ => false,
    };
    if !is_known {
        world.count("unauthorized");
        return Ok(unauthorized);
    }
    if act == "auth" {
        return session(world);
    }
    if act == "terminate" {
        let token = request.authorization.trim_start_matches("Bearer ");
        world.tokens.remove(token);
        return Ok(Response {
            status: 204,
            fields: String::new(),
            body: Vec::new(),
        });
    }
    let text = String::from_utf8(request.body.clone())?;
    let json = RawJson::parse(&text)?;
    match act {
        "info" => match find(world, json.value())? {
            Some(info) => Ok(Response::json(info)),
            None => Ok(Response::error(404, "Security object does not exist")),
        },
        "sign" => sign(world, json.value(), is_wrong_key),
        _ => Ok(Response::error(404, "Not found")),
    }
}

fn session(world: &mut World) -> Result<Response> {
    let mut random = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let token = Base64::encode_to_string(random)?;
    world.tokens.insert(token.clone());
    world.all_tokens.push(token.clone());
    Ok(Response::json(format!(
        r#"{{"token_type":"Bearer","expires_in":{},"access_token":"{token}","entity_id":"0be5a0d2-0000-4000-8000-00000000aaaa","allowed_mfa_methods":[],"challenge":null}}"#,
        world.lifetime
    )))
}

fn member(value: RawJsonValue<'_, '_>, name: &str) -> Result<Option<String>> {
    let value = value.to_member(name)?.optional();
    match value.filter(|value| value.kind() != JsonValueKind::Null) {
        Some(value) => Ok(Some(value.to_unquoted_string_str()?.into_owned())),
        None => Ok(None),
    }
}

fn find(world: &World, json: RawJsonValue<'_, '_>) -> Result<Option<String>> {
    let (kid, name) = (member(json, "kid")?, member(json, "name")?);
    let found = world.keys.find(kid.as_deref(), name.as_deref());
    found.map(|(kid, key)| key.info(kid)).transpose()
}

fn sign(world: &World, json: RawJsonValue<'_, '_>, is_wrong_key: bool) -> Result<Response> {
    let key = json.to_member("key")?.required()?;
    let (kid, name) = (member(key, "kid")?, member(key, "name")?);
    let Some((kid, key)) = world.keys.find(kid.as_deref(), name.as_deref()) else {
        return Ok(Response::error(404, "Security object does not exist"));
    };
    let (data, hash) = (member(json, "data")?, member(json, "hash")?);
    let Some(data) = data.filter(|_| hash.is_none()) else {
        return Ok(Response::error(
            400,
            "Exactly one of data and hash is required",
        ));
    };
    if member(json, "hash_alg")?.as_deref() != Some("SHA512") {
        return Ok(Response::error(400, "Wrong hash_alg for this curve"));
    }
    if !key.is_enabled || key.state != "Active" || !key.operations.contains("SIGN") {
        return Ok(Response::error(403, "The key may not be used for this"));
    }
    let message = Base64::decode_to_vec(data.as_bytes(), None)?;
    let other = world.keys.find(None, Some("second")).map(|(_, key)| key);
    let signer = other.filter(|_| is_wrong_key).unwrap_or(key);
    let signature = Base64::encode_to_string(signer.sign(&message))?;
    Ok(Response::json(format!(
        r#"{{"kid":"{kid}","signature":"{signature}","new_in_this_version":null}}"#
    )))
}
