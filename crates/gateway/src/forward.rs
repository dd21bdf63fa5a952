//! One request, from its head to the beginning of its answer: checked, given to an upstream, and given to another one
//! where the first fails and that is safe.

use std::{pin::pin, sync::Arc, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::{Body as _, Bytes, Incoming},
    client::conn::TrySendError,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    http::{request, uri::PathAndQuery},
    upgrade::OnUpgrade,
};
use platform::server::{Problem, ProblemType};
use tokio::time::{Instant, timeout};

use crate::{
    answer::{AnswerBody, Held},
    balance::{Balancer, RetryBudget, Trial, Tried, others},
    client::{Busy, Client},
    connection::{ConnectFault, Line},
    headers::{self, HeadFault},
    pool::Pool,
    settings::{BalanceSettings, LimitSettings},
    sticky::{self, Sticky},
    upgrade,
    upload::{Expect, Upload, UploadFault, UploadLimits, UploadWatch, announced_bytes},
    upstream::{Admission, Failure, Upstream},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Forwarder {
    pub(crate) pool: Pool,
    pub(crate) limits: LimitSettings,
    pub(crate) balance: BalanceSettings,
    pub(crate) balancer: Balancer,
    pub(crate) budget: RetryBudget,
    pub(crate) sticky: Option<Sticky>,
    pub(crate) sockets: upgrade::Sockets,
    pub(crate) retries: metrics::Counter,
}

/// A request that was checked, and can be given to an upstream.
struct Ready {
    head: request::Parts,
    body: Body,
    may_repeat: Repeat,
    /// The client's side of a web socket, where it asks for one.
    socket: Option<OnUpgrade>,
}

/// Whether a request may reach two upstreams.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// Doing it twice is like doing it once.
    Safe,
    /// Only while no byte of it was sent.
    Unsent,
}

enum Body {
    Empty,
    Kept(Bytes),
    /// Taken by the first try that sends some of it.
    Stream(Option<(Upload, Arc<UploadWatch>)>),
}

/// Whether any of a request may have reached an upstream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    Some,
}

/// How a try went wrong.
struct Failed {
    failure: Failure,
    sent: Sent,
    reason: String,
}

/// How a try ended.
enum Outcome {
    Answered(Answered),
    Failed(Failed),
    /// The client is to blame.
    Client(UploadFault),
}

struct Answered {
    response: Response<Incoming>,
    line: Line,
    upload: Option<Arc<UploadWatch>>,
}

enum ExchangeFault {
    TimedOut(Duration),
    Http(Box<TrySendError<Request<Upload>>>),
}

/// What a request has until its answer is over.
struct Under {
    admission: Admission,
    busy: Busy,
    socket: Option<OnUpgrade>,
    ticket: Option<String>,
}

impl Forwarder {
    /// The answer to a request.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        client: &Arc<Client>,
        busy: Busy,
    ) -> Result<Response<AnswerBody>, Problem> {
        self.budget.earn();
        let ready = self.prepare(request, client).await?;
        self.give(ready, busy).await
    }

    async fn prepare(&self, mut request: Request<Incoming>, client: &Client) -> Result<Ready, Problem> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(HeadFault::Method.into());
        }
        // Before the request is taken apart: it hangs on its extensions.
        let socket = request.extensions_mut().remove::<OnUpgrade>();
        let (mut head, body) = request.into_parts();
        let host = headers::host(&head)?;
        if announced_bytes(&head.headers).is_some_and(|bytes| bytes > self.limits.max_body_bytes) {
            return Err(UploadFault::TooLarge.into());
        }
        let wants_websocket = headers::wants_websocket(&head);
        headers::prepare_request(&mut head, host, client);
        if wants_websocket {
            headers::ask_for_websocket(&mut head.headers);
        }
        let path = head.uri.path_and_query().cloned().ok_or(HeadFault::NoPath)?;
        head.uri = if path.as_str().is_empty() { PathAndQuery::from_static("/").into() } else { path.into() };
        head.version = Version::HTTP_11;
        let may_repeat = if may_repeat(&head) { Repeat::Safe } else { Repeat::Unsent };
        let body = self.body(&head.headers, body, may_repeat).await?;
        Ok(Ready { head, body, may_repeat, socket: socket.filter(|_| wants_websocket) })
    }

    /// A small body of a request that may be repeated is kept; any other passes through.
    async fn body(&self, headers: &HeaderMap, body: Incoming, may_repeat: Repeat) -> Result<Body, UploadFault> {
        if body.is_end_stream() {
            return Ok(Body::Empty);
        }
        let expect =
            if headers::names(headers, &header::EXPECT, "100-continue") { Expect::Continue } else { Expect::Nothing };
        let limits = UploadLimits { max_bytes: self.limits.max_body_bytes, pause: self.limits.body_pause() };
        let is_small = announced_bytes(headers).is_some_and(|bytes| bytes <= self.balance.kept_body_bytes.into());
        if is_small && may_repeat == Repeat::Safe && expect == Expect::Nothing {
            return Upload::keep(body, limits).await.map(Body::Kept);
        }
        Ok(Body::Stream(Some(Upload::stream(body, limits, expect))))
    }

    /// Gives a request to one upstream after the other until one answers.
    async fn give(&self, mut ready: Ready, busy: Busy) -> Result<Response<AnswerBody>, Problem> {
        let ticket = self.sticky.as_ref().and_then(|sticky| sticky.find_ticket(&ready.head.headers)).map(str::to_owned);
        let mut tried = Tried::default();
        let mut left = self.balance.retries;
        let Some(mut admission) = self.first(&ready, ticket.as_deref()) else {
            return Err(self.nobody());
        };
        loop {
            tried.note(admission.upstream().id());
            let begun = Instant::now();
            let failed = match self.attempt(&mut ready, admission.upstream()).await {
                Outcome::Client(fault) => return Err(fault.into()),
                Outcome::Failed(failed) => failed,
                Outcome::Answered(answered) => {
                    let is_unavailable = is_unavailable(answered.response.status());
                    if is_unavailable {
                        admission.failed(Failure::Unavailable, others(&self.pool, admission.upstream().id()));
                        if let Some(next) = self.next(&ready, &tried, Sent::Some, &mut left) {
                            admission = next;
                            continue;
                        }
                    } else {
                        admission.answered(answered.response.status(), begun.elapsed());
                    }
                    let socket = ready.socket.take();
                    return self.pass_on(answered, Under { admission, busy, socket, ticket });
                }
            };
            tracing::warn!(upstream = %admission.upstream().address(), reason = failed.reason, "a request failed");
            admission.failed(failed.failure, others(&self.pool, admission.upstream().id()));
            let Some(next) = self.next(&ready, &tried, failed.sent, &mut left) else {
                return Err(gave_up(failed.failure));
            };
            admission = next;
        }
    }

    fn first(&self, ready: &Ready, ticket: Option<&str>) -> Option<Admission> {
        let sticky = ticket.and_then(|ticket| sticky::admit(&self.pool, ticket));
        sticky.or_else(|| self.balancer.choose(&self.pool, &Tried::default(), self.trial(ready)))
    }

    /// Another upstream, where a request that failed may be tried there.
    fn next(&self, ready: &Ready, tried: &Tried, sent: Sent, left: &mut u32) -> Option<Admission> {
        if *left == 0 || (sent == Sent::Some && !ready.can_repeat()) {
            return None;
        }
        let admission = self.balancer.choose(&self.pool, tried, self.trial(ready))?;
        // What reached nobody caused no work, so trying it elsewhere adds none.
        if sent == Sent::Some && !self.budget.spend() {
            tracing::warn!("too many requests fail: no more of them are tried again");
            return None;
        }
        *left -= 1;
        self.retries.increment(1);
        Some(admission)
    }

    fn trial(&self, ready: &Ready) -> Trial {
        // A body that passes through is gone after the first try.
        let is_repeatable = ready.can_repeat() && !matches!(ready.body, Body::Stream(_));
        if self.balance.retries > 0 && is_repeatable { Trial::Fit } else { Trial::LastResort }
    }

    /// Gives a request to one upstream: over a kept connection, and over a new one where that turns out to be closed.
    async fn attempt(&self, ready: &mut Ready, upstream: &Upstream) -> Outcome {
        let mut kept = upstream.idle_connections().take(self.balance.idle_connection()).await;
        loop {
            let is_kept = kept.is_some();
            let mut line = match kept.take() {
                Some(line) => line,
                None => match Line::connect(upstream.address(), self.limits.connect_timeout()).await {
                    Ok(line) => line,
                    Err(fault) => return Outcome::Failed(fault.into()),
                },
            };
            let Some((request, upload)) = ready.request() else {
                return Outcome::Client(UploadFault::Broken);
            };
            let fault = match self.exchange(&mut line, request, upload.as_deref()).await {
                Ok(response) => return Outcome::Answered(Answered { response, line, upload }),
                Err(fault) => fault,
            };
            if let Some(fault) = upload.as_ref().and_then(|upload| upload.fault()) {
                return Outcome::Client(fault);
            }
            let failed = ready.take_back(fault, upload);
            // A server may close a connection just when it is used again: that is no fault of it.
            let is_stale = is_kept && failed.failure == Failure::Broken;
            if !is_stale || (failed.sent == Sent::Some && !ready.can_repeat()) {
                return Outcome::Failed(failed);
            }
        }
    }

    /// Sends a request and waits for the head of its answer, for as long as the body moves and a while longer.
    async fn exchange(
        &self,
        line: &mut Line,
        request: Request<Upload>,
        upload: Option<&UploadWatch>,
    ) -> Result<Response<Incoming>, ExchangeFault> {
        let limit = self.limits.answer_timeout();
        let mut answer = pin!(line.send(request));
        let mut seen_bytes = 0;
        loop {
            if let Ok(answer) = timeout(limit, answer.as_mut()).await {
                return answer.map_err(|error| ExchangeFault::Http(Box::new(error)));
            }
            let now_bytes = upload.map_or(0, UploadWatch::seen_bytes);
            if now_bytes == seen_bytes {
                return Err(ExchangeFault::TimedOut(limit));
            }
            seen_bytes = now_bytes;
        }
    }

    /// The answer as the client gets it.
    fn pass_on(&self, answered: Answered, under: Under) -> Result<Response<AnswerBody>, Problem> {
        let Answered { mut response, line, upload } = answered;
        let Under { admission, busy, socket, ticket } = under;
        let cookie = self.sticky.as_ref().and_then(|sticky| sticky.cookie(admission.upstream(), ticket.as_deref()));
        let mut held = Held {
            admission,
            line: Some(line),
            upload,
            max_idle_connections: self.balance.idle_connections as usize,
            _busy: busy,
        };
        let upgraded =
            (response.status() == StatusCode::SWITCHING_PROTOCOLS).then(|| hyper::upgrade::on(&mut response));
        let (mut head, body) = response.into_parts();
        headers::remove_of_one_connection(&mut head.headers);
        head.version = Version::HTTP_11;
        if let Some(cookie) = cookie {
            head.headers.append(header::SET_COOKIE, cookie);
        }
        let body = match (upgraded, socket) {
            (None, _) => AnswerBody::relay(body, held, self.limits.stream_idle()),
            (Some(upstream), Some(client)) => {
                headers::ask_for_websocket(&mut head.headers);
                held.line.take().into_iter().for_each(Line::let_go);
                self.sockets.join(client, upstream, held);
                AnswerBody::Own(None)
            }
            (Some(_), None) => return Err(gave_up(Failure::Broken)),
        };
        Ok(Response::from_parts(head, body))
    }

    fn nobody(&self) -> Problem {
        let wait = self.pool.rules().interval();
        Problem::new(ProblemType::Unavailable).detail("no server takes requests at the moment").retry_after(wait)
    }
}

impl Ready {
    /// Whether it can be given to an upstream although another one got it.
    fn can_repeat(&self) -> bool {
        self.may_repeat == Repeat::Safe && !matches!(self.body, Body::Stream(None))
    }

    /// The request for one try; nothing where its body is gone.
    fn request(&mut self) -> Option<(Request<Upload>, Option<Arc<UploadWatch>>)> {
        let (upload, watch) = match &mut self.body {
            Body::Empty => (Upload::Empty, None),
            Body::Kept(bytes) => (Upload::Kept(Some(bytes.clone())), None),
            Body::Stream(stream) => stream.take().map(|(upload, watch)| (upload, Some(watch)))?,
        };
        let mut request = Request::new(upload);
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        *request.headers_mut() = self.head.headers.clone();
        if let Some(watch) = &watch
            && watch.is_held()
        {
            let watch = watch.clone();
            hyper::ext::on_informational(&mut request, move |response| {
                if response.status() == StatusCode::CONTINUE {
                    watch.let_go();
                }
            });
        }
        Some((request, watch))
    }

    /// Takes back what was not sent.
    fn take_back(&mut self, fault: ExchangeFault, watch: Option<Arc<UploadWatch>>) -> Failed {
        let mut error = match fault {
            ExchangeFault::TimedOut(limit) => {
                let reason = format!("no answer within {} s", limit.as_secs());
                return Failed { failure: Failure::TimedOut, sent: Sent::Some, reason };
            }
            ExchangeFault::Http(error) => error,
        };
        let reason = error.error().to_string();
        let Some(request) = error.take_message() else {
            return Failed { failure: Failure::Broken, sent: Sent::Some, reason };
        };
        if let (Body::Stream(stream), Some(watch)) = (&mut self.body, watch) {
            *stream = Some((request.into_body(), watch));
        }
        Failed { failure: Failure::Broken, sent: Sent::Nothing, reason }
    }
}

fn may_repeat(head: &request::Parts) -> bool {
    match head.method {
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE => true,
        Method::POST | Method::PATCH => head.headers.contains_key(IDEMPOTENCY_KEY),
        _ => false,
    }
}

/// Whether an upstream says that it, or what is behind it, does not work.
fn is_unavailable(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// What a client hears when no upstream answered.
fn gave_up(failure: Failure) -> Problem {
    let problem = Problem::new(ProblemType::Unavailable);
    match failure {
        Failure::TimedOut => problem.detail("the server did not answer in time").status(StatusCode::GATEWAY_TIMEOUT),
        Failure::Unreachable | Failure::Broken | Failure::Unavailable => {
            problem.detail("the server broke off").status(StatusCode::BAD_GATEWAY)
        }
    }
}

impl From<ConnectFault> for Failed {
    fn from(fault: ConnectFault) -> Self {
        let failure = match fault {
            ConnectFault::TimedOut(_) => Failure::TimedOut,
            ConnectFault::Io(_) | ConnectFault::Http(_) => Failure::Unreachable,
        };
        Self { failure, sent: Sent::Nothing, reason: fault.to_string() }
    }
}

impl From<HeadFault> for Problem {
    fn from(fault: HeadFault) -> Self {
        let problem = match fault {
            // Who answers so says what it allows (RFC 9110, section 15.5.6).
            HeadFault::Method => Self::new(ProblemType::MethodNotAllowed).header(header::ALLOW, ALLOWED),
            HeadFault::NoHost | HeadFault::ManyHosts | HeadFault::BadHost | HeadFault::NoPath => {
                Self::new(ProblemType::Malformed)
            }
        };
        problem.detail(fault.to_string())
    }
}

impl From<UploadFault> for Problem {
    fn from(fault: UploadFault) -> Self {
        let kind = match fault {
            UploadFault::TooLarge => ProblemType::PayloadTooLarge,
            UploadFault::TooSlow => ProblemType::Timeout,
            UploadFault::Broken | UploadFault::Unwanted => ProblemType::Malformed,
        };
        Self::new(kind).detail(fault.to_string())
    }
}
