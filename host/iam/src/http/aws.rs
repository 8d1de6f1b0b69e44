//! AWS's API at `POST /`.

use axum::{
    Router,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::post,
};

use super::{App, cookies};
use crate::{
    aws::{Answer, Request},
    refusal::{Code, Refusal},
};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/", post(answer))
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [(header::CONTENT_TYPE, "text/xml")];
        (status, headers, [("x-amzn-requestid", self.request_id)], self.xml).into_response()
    }
}

async fn answer(State(app): State<App>, parts: Parts, body: Result<Bytes, BytesRejection>) -> Answer {
    let source = cookies::source(&parts);
    let Parts { method, uri, headers, .. } = parts;
    let Ok(body) = body else {
        return Answer::refused(&Refusal::new(Code::ValidationError, "A request is at most 64 KiB."));
    };
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let request = Request {
        method: method.to_string(),
        path: uri.path().into(),
        query: uri.query().unwrap_or_default().into(),
        headers: headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: body.into(),
    };
    app.run(move |iam| Ok(iam.answer(&request, &source)))
        .await
        .unwrap_or_else(|refusal| Answer::refused(&refusal))
}
