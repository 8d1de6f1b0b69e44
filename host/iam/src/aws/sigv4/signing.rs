//! The signing end, for tests: AWS's vectors hold both ends together.

use super::*;

/// Who signs, where and when.
pub(crate) struct Signer<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) session_token: Option<&'a str>,
    pub(crate) service: &'a str,
    /// Seconds since 1970.
    pub(crate) time: i64,
}

impl Signer<'_> {
    /// Adds the headers of a signature over all headers that the request has.
    pub(crate) fn sign(&self, request: &mut Request) {
        let time = timestamp::basic(self.time);
        request.headers.push(("x-amz-date".into(), time.clone()));
        if let Some(token) = self.session_token {
            request.headers.push(("x-amz-security-token".into(), token.into()));
        }
        let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        let signature = self.signature(request, &names);
        let scope = format!("{}/us-east-1/{}/aws4_request", &time[..8], self.service);
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.access_key_id,
            names.join(";"),
        );
        request.headers.push(("authorization".into(), value));
    }

    pub(super) fn signature(&self, request: &Request, names: &[String]) -> String {
        let time = timestamp::basic(self.time);
        let (date, region) = (time[..8].to_owned(), "us-east-1".to_owned());
        let claim = Claim {
            access_key_id: self.access_key_id.into(),
            session_token: None,
            service: self.service.into(),
            scope: format!("{date}/{region}/{}/aws4_request", self.service),
            date,
            region,
            signed_headers: names.to_vec(),
            signature: String::new(),
            time,
        };
        claim.signature_of(&canonical(request, names, &hex(&Sha256::digest(&request.body))), self.secret)
    }
}
