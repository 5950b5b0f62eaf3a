//! One way of asking GitHub: octocrab signs in and keeps tokens fresh, our own client carries the requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::service_fn;

use super::{GitHub, Repository, Trouble};
use crate::clients::http::{Answer, Broken, Call, Http};
use crate::clients::{Problem, Receipt};

/// Entries of a page: the most that GitHub gives.
const PAGE: usize = 100;

/// Asks about one repository, and counts what it took.
pub(super) struct Ask<'a> {
    pub(super) github: &'a GitHub,
    pub(super) repository: Repository,
    crab: Arc<Octocrab>,
    calls: AtomicU32,
}

/// What asks with this access at this address.
pub(super) fn crab(http: Http, base: String, auth: AuthState) -> Octocrab {
    let service = service_fn(move |request: Request<OctoBody>| {
        let (http, base) = (http.clone(), base.clone());
        async move { carry(&http, &base, request).await }
    });
    match OctocrabBuilder::new_empty().with_service(service).with_auth(auth).build() {
        Ok(crab) => crab,
        Err(never) => match never {},
    }
}

async fn carry(http: &Http, base: &str, request: Request<OctoBody>) -> Result<Response<Full<Bytes>>, Broken> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| Broken::NotSent(error.to_string()))?.to_bytes();
    // Only the path is taken: whatever else a request names, it goes to the configured address.
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    let carried = Call::new(parts.method, format!("{base}{path}")).headers(headers).body(body);
    let answer = http.send(carried).await?;
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

/// What an error of octocrab means: there was no answer, or signing in failed.
pub(super) fn trouble(error: &octocrab::Error) -> Trouble {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(broken) = error.downcast_ref::<Broken>() {
            return Trouble::Broken(broken.clone());
        }
        cause = error.source();
    }
    let octocrab::Error::GitHub { source, .. } = error else {
        return Trouble::Away(format!("cannot be asked: {error}"));
    };
    // Only a request for a token is read by octocrab itself; nothing else was asked for yet.
    let (status, words) = (source.status_code, &source.message);
    if status.is_server_error() {
        return Trouble::Away(format!("gives no token, {status}: {words}"));
    }
    Trouble::Refused(format!(
        "GitHub gives no token, {status}: {words}; check `app_id`, `private_key` and the App's installation"
    ))
}

impl<'a> Ask<'a> {
    pub(super) fn new(github: &'a GitHub, crab: Arc<Octocrab>, repository: Repository, calls: u32) -> Self {
        Self { github, repository, crab, calls: AtomicU32::new(calls) }
    }

    /// How many requests it took so far.
    pub(super) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// `/repos/owner/name/…`.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.repository.path())
    }

    /// Reads one thing; none if there is none.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Trouble> {
        match self.fetch(path, None).await?.checked(self.github.now) {
            Ok(answer) => Ok(Some(parsed(&answer)?)),
            Err(Trouble::Missing(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Reads text as it is; none if there is none, or if it is no file.
    pub(super) async fn raw(&self, path: &str) -> Result<Option<String>, Trouble> {
        let accept = HeaderValue::from_static("application/vnd.github.raw+json");
        let answer = match self.fetch(path, Some(accept)).await?.checked(self.github.now) {
            Ok(answer) => answer,
            Err(Trouble::Missing(_)) => return Ok(None),
            Err(trouble) => return Err(trouble),
        };
        // The list of what is in a folder has no raw form and comes as JSON.
        let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/json") && answer.body.starts_with(b"[") {
            return Ok(None);
        }
        let text = String::from_utf8(answer.body.to_vec());
        text.map(Some).map_err(|_| Trouble::Refused("the file is no text".to_owned()))
    }

    /// Reads a list, up to so many pages; whether that was all of it.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        pages_max: usize,
    ) -> Result<(Vec<T>, bool), Trouble> {
        let mut all = Vec::new();
        let separator = if path.contains('?') { '&' } else { '?' };
        for page in 1..=pages_max {
            let paged = format!("{path}{separator}per_page={PAGE}&page={page}");
            let answer = self.fetch(&paged, None).await?.checked(self.github.now)?;
            all.extend(parsed::<Vec<T>>(&answer)?);
            let links = answer.headers.get(header::LINK).and_then(|links| links.to_str().ok()).unwrap_or_default();
            if !links.contains("rel=\"next\"") {
                return Ok((all, true));
            }
        }
        Ok((all, false))
    }

    /// Creates.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Trouble> {
        let answer = self.crab._post(path, Some(body)).await;
        parsed(&self.read(answer).await?.checked(self.github.now)?)
    }

    /// Changes.
    pub(super) async fn patch<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Trouble> {
        let answer = self.crab._patch(path, Some(body)).await;
        parsed(&self.read(answer).await?.checked(self.github.now)?)
    }

    /// What trouble with a request that changes something means for the action.
    pub(super) fn unwritten(&self, trouble: &Trouble) -> Problem {
        trouble.of_write(&self.repository.to_string()).without_secrets(&self.github.http)
    }

    /// What trouble with a request that only reads means for the action.
    pub(super) fn unread(&self, trouble: &Trouble) -> Problem {
        trouble.of_read(&self.repository.to_string()).without_secrets(&self.github.http)
    }

    /// What something on a change became.
    pub(super) fn receipt(&self, number: u64, id: u64, url: Option<String>) -> Receipt {
        Receipt { place: format!("{}#{number}", self.repository), id: id.to_string(), url, unchanged: false }
    }

    fn unasked(&self, error: &octocrab::Error) -> Trouble {
        let trouble = trouble(error);
        // The installation may be another one next time: the App was taken out and installed again.
        if matches!(trouble, Trouble::Refused(_)) {
            self.github.forget(&self.repository);
        }
        trouble
    }

    async fn fetch(&self, path: &str, accept: Option<HeaderValue>) -> Result<Answer, Trouble> {
        let accept = accept.unwrap_or_else(|| HeaderValue::from_static("application/vnd.github+json"));
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept)]);
        let answer = self.crab._get_with_headers(path, Some(headers)).await;
        self.read(answer).await
    }

    async fn read<B>(&self, answer: Result<Response<B>, octocrab::Error>) -> Result<Answer, Trouble>
    where
        B: http_body_util::BodyExt<Data = Bytes, Error = octocrab::Error>,
    {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (parts, body) = answer.map_err(|error| self.unasked(&error))?.into_parts();
        let body = body.collect().await.map_err(|error| trouble(&error))?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

fn parsed<T: DeserializeOwned>(answer: &Answer) -> Result<T, Trouble> {
    serde_json::from_slice(&answer.body).map_err(|error| match answer.status {
        StatusCode::NO_CONTENT => Trouble::Refused("an answer without content".to_owned()),
        _ => Trouble::Unreadable(format!("answers in no form that is known: {error}")),
    })
}
