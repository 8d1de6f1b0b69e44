//! The signing end: for those who ask AWS's API, this one or the real one, and for the tests. AWS's vectors hold both ends together.

use super::*;

/// Who signs, where and when.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// `AKIA…` or `ASIA…`.
    pub access_key_id: &'a str,
    /// The secret of the access key.
    pub secret: &'a str,
    /// What temporary credentials have besides.
    pub session_token: Option<&'a str>,
    /// `us-east-1` for IAM.
    pub region: &'a str,
    /// `iam` or `sts`.
    pub service: &'a str,
    /// Seconds since 1970.
    pub time: i64,
}

impl Signer<'_> {
    /// The headers of a form that is posted to `/` of a host, which is `name` or `name:port` as the Host header has it. All but
    /// the Host header itself.
    #[must_use]
    pub fn form_headers(&self, host: &str, body: &[u8]) -> Vec<(String, String)> {
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let headers = vec![("host".into(), host.into()), ("content-type".into(), kind.into())];
        let (method, path) = ("POST".into(), "/".into());
        let mut request = Request { method, path, query: String::new(), headers, body: body.into() };
        self.sign(&mut request);
        request.headers.retain(|(name, _)| name != "host");
        request.headers
    }

    /// Adds the headers of a signature over all headers that the request has.
    pub(crate) fn sign(&self, request: &mut Request) {
        let time = timestamp::basic(self.time);
        request.headers.push(("x-amz-date".into(), time));
        if let Some(token) = self.session_token {
            request.headers.push(("x-amz-security-token".into(), token.into()));
        }
        let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
            self.access_key_id,
            self.claim(&names).scope,
            names.join(";"),
            self.signature(request, &names),
        );
        request.headers.push(("authorization".into(), value));
    }

    pub(super) fn signature(&self, request: &Request, names: &[String]) -> String {
        let payload = hex(&Sha256::digest(&request.body));
        self.claim(names).signature_of(&canonical(request, names, &payload), self.secret)
    }

    /// What the signature is to claim.
    fn claim(&self, names: &[String]) -> Claim {
        let time = timestamp::basic(self.time);
        let date = time.split_once('T').map_or(time.as_str(), |(date, _)| date).to_owned();
        Claim {
            access_key_id: self.access_key_id.into(),
            session_token: None,
            service: self.service.into(),
            scope: format!("{date}/{}/{}/aws4_request", self.region, self.service),
            date,
            region: self.region.into(),
            signed_headers: names.to_vec(),
            signature: String::new(),
            time,
        }
    }
}
