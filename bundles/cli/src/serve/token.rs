//! The token that each request over TCP bears (RFC 6750).

use std::path::Path;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Api;
use super::problem::Problem;
use crate::error::{Error, Result};

/// Fewer bytes could be guessed.
const SHORTEST: usize = 16;

/// Its SHA-256: how long a comparison of digests takes tells nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// From a file, without the white space around it.
    ///
    /// # Errors
    /// No such file, or too short a token.
    pub fn read(path: &Path) -> Result<Token> {
        let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
        match text.trim() {
            token if token.len() >= SHORTEST => Ok(Token::of(token)),
            _ => Err(Error::Token { path: path.to_path_buf() }),
        }
    }

    fn of(text: &str) -> Token {
        Token(Sha256::digest(text.as_bytes()).into())
    }
}

/// Refuses requests without it. The page and the OpenAPI document tell nothing and need none.
pub async fn asked(State(api): State<Api>, request: Request, next: Next) -> Response {
    let public = ["/", "/openapi.json"].contains(&request.uri().path());
    let borne = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let borne = borne.and_then(|value| value.strip_prefix("Bearer ")).map(Token::of);
    if public || api.token.is_none() || api.token == borne {
        return next.run(request).await;
    }
    let detail = "the token of --token-file is not in it: Authorization: Bearer TOKEN".to_owned();
    let mut refusal = Problem { status: StatusCode::UNAUTHORIZED, detail }.into_response();
    refusal.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_without_white_space() {
        let path = std::env::temp_dir().join(format!("rt-container-cli-token-{}", std::process::id()));
        std::fs::write(&path, " 0123456789abcdef\n").unwrap();
        assert_eq!(Token::read(&path).unwrap(), Token::of("0123456789abcdef"));
        std::fs::write(&path, "short\n").unwrap();
        assert!(matches!(Token::read(&path), Err(Error::Token { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(Token::read(&path).is_err());
    }
}
