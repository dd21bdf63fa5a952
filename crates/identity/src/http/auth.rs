//! Signing up, in and out.

use axum::{
    extract::State,
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
};
use kernel::SessionId;
use platform::{
    idempotency::{Receipt, Reply},
    server::{Claimed, Json, List, PageBody, Path, Problem, SignedIn},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Http, SessionCookie,
    shapes::{HeldBy, SessionBody, UserBody},
};
use crate::{
    model::{Email, Name, Origin, Password, SessionKind, User},
    service::{Credentials, Opened, SignUp, Tokens},
};

/// An account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignUpBody {
    #[schema(value_type = String, format = Email, max_length = 254)]
    email: Email,
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    name: Name,
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 512)]
    password: Password,
}

/// What is shown to come in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogInBody {
    #[schema(value_type = String, format = Email, max_length = 254)]
    email: Email,
    #[schema(value_type = String, format = Password, max_length = 512)]
    password: SecretString,
    #[serde(default)]
    #[schema(inline)]
    session: HeldBy,
}

/// A refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshBody {
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

/// A session that was opened or renewed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionOpened {
    user: UserBody,
    /// Absent where the session is held by a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<TokenPair>,
}

/// Tokens of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenPair {
    /// To be sent as `Authorization: Bearer …`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds that the access token is good for.
    expires_in: u32,
    /// For the next pair; good once.
    refresh_token: String,
}

/// An address to send a link to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetBody {
    #[schema(value_type = String, format = Email, max_length = 254)]
    email: Email,
}

/// A new password, with what the letter held.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPasswordBody {
    #[schema(value_type = String)]
    token: SecretString,
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 512)]
    password: Password,
}

/// Make an account
#[utoipa::path(
    post, path = "/auth/sign-up", tag = "auth", request_body = SignUpBody,
    extensions(("x-cost" = json!(10))),
    responses(
        (status = 201, description = "The account; sign in next", body = UserBody),
        (status = 403, description = "Accounts are made by admins here"),
        (status = 409, description = "There is an account with this address already"),
    )
)]
pub(super) async fn sign_up(
    State(http): State<Http>,
    origin: Origin,
    claimed: Claimed,
    Json(body): Json<SignUpBody>,
) -> Result<Response, Problem> {
    let receipt = claimed.receipt(|user: &User| Reply::json(201, &UserBody::from(user.clone())));
    let sign_up = SignUp { email: body.email, name: body.name, password: body.password, origin };
    let user = http.service.sign_up(sign_up, &receipt).await?;
    Ok(receipt.reply(&user).into_response())
}

/// Sign in
///
/// Fails in the same way whether the address or the password is wrong.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", request_body = LogInBody,
    extensions(("x-cost" = json!(10))),
    responses(
        (status = 200, description = "The session", body = SessionOpened),
        (status = 401, description = "The address or the password is wrong"),
        (status = 429, description = "Too many attempts"),
    )
)]
pub(super) async fn log_in(
    State(http): State<Http>,
    origin: Origin,
    headers: HeaderMap,
    claimed: Claimed,
    Json(body): Json<LogInBody>,
) -> Result<Response, Problem> {
    let kind = match body.session {
        HeldBy::Tokens => SessionKind::Tokens,
        HeldBy::Cookie => {
            // Another site must not sign a browser in as somebody of its choice.
            http.same_site.check(&Method::POST, &headers)?;
            SessionKind::Cookie
        }
    };
    let receipt = opened_receipt(claimed, http.cookie);
    let shown = Credentials { email: body.email, password: body.password, kind, origin };
    let opened = http.service.log_in(&shown, &receipt).await?;
    Ok(receipt.reply(&opened).into_response())
}

/// Renew a session
///
/// The refresh token is replaced. One that was replaced is taken only until its successor was shown; after that the whole
/// session ends.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth", request_body = RefreshBody,
    extensions(("x-cost" = json!(5))),
    responses(
        (status = 200, description = "The session with its new tokens", body = SessionOpened),
        (status = 401, description = "The token is not one of ours, or its session has ended"),
    )
)]
pub(super) async fn refresh(
    State(http): State<Http>,
    origin: Origin,
    claimed: Claimed,
    Json(body): Json<RefreshBody>,
) -> Result<Response, Problem> {
    let receipt = opened_receipt(claimed, http.cookie);
    let opened = http.service.refresh(body.refresh_token.expose_secret(), origin, &receipt).await?;
    Ok(receipt.reply(&opened).into_response())
}

/// Sign out
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 204, description = "The session has ended"))
)]
pub(super) async fn log_out(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    origin: Origin,
    claimed: Claimed,
) -> Result<Response, Problem> {
    let receipt = ended_receipt(claimed, http.cookie);
    http.service.log_out(&actor, origin, &receipt).await?;
    Ok(receipt.reply(&()).into_response())
}

/// Sign out everywhere
#[utoipa::path(
    post, path = "/auth/logout-all", tag = "auth",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 204, description = "All sessions have ended, this one too"))
)]
pub(super) async fn log_out_everywhere(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    origin: Origin,
    claimed: Claimed,
) -> Result<Response, Problem> {
    let receipt = ended_receipt(claimed, http.cookie);
    http.service.log_out_everywhere(&actor, origin, &receipt).await?;
    Ok(receipt.reply(&()).into_response())
}

/// List the sessions of one's own
#[utoipa::path(
    get, path = "/auth/sessions", tag = "auth",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Newest first, all on one page", body = PageBody<SessionBody>))
)]
pub(super) async fn list_sessions(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
) -> Result<Json<PageBody<SessionBody>>, Problem> {
    let items = http.service.list_sessions(&actor).await?;
    let page = kernel::Page { items, next_cursor: None };
    Ok(Json(List::new("sessions", &()).body(page, |session| SessionBody::new(&session, actor.session_id()))))
}

/// End a session
#[utoipa::path(
    delete, path = "/auth/sessions/{id}", tag = "auth",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = uuid::Uuid, Path, description = "The session")),
    responses((status = 204, description = "The session has ended"), (status = 404, description = "There is none"))
)]
pub(super) async fn revoke_session(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    origin: Origin,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    http.service.revoke_session(&actor, id, origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask for a new password
///
/// Answers the same whether or not there is an account with this address.
#[utoipa::path(
    post, path = "/auth/password-reset", tag = "auth", request_body = ResetBody,
    extensions(("x-cost" = json!(10))),
    responses((status = 202, description = "If somebody has this address, a letter is on its way"))
)]
pub(super) async fn ask_for_reset(
    State(http): State<Http>,
    origin: Origin,
    Json(body): Json<ResetBody>,
) -> Result<StatusCode, Problem> {
    http.service.ask_for_reset(body.email, origin).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Set a new password with what the letter held
#[utoipa::path(
    post, path = "/auth/password-reset/confirm", tag = "auth", request_body = NewPasswordBody,
    extensions(("x-cost" = json!(10))),
    responses(
        (status = 204, description = "The password is set, and all sessions have ended"),
        (status = 422, description = "The link was used or has run out"),
    )
)]
pub(super) async fn reset_password(
    State(http): State<Http>,
    origin: Origin,
    claimed: Claimed,
    Json(body): Json<NewPasswordBody>,
) -> Result<Response, Problem> {
    let receipt = claimed.receipt(|(): &()| Reply::empty(204));
    http.service.reset_password(body.token.expose_secret(), &body.password, origin, &receipt).await?;
    Ok(receipt.reply(&()).into_response())
}

fn opened_receipt(claimed: Claimed, cookie: SessionCookie) -> Receipt<Opened> {
    claimed.receipt(move |opened: &Opened| {
        let user = UserBody::from(opened.user.clone());
        match &opened.tokens {
            Tokens::Pair { access, expires_in_s, refresh } => {
                let tokens = TokenPair {
                    access_token: access.expose_secret().to_owned(),
                    token_type: "Bearer",
                    expires_in: *expires_in_s,
                    refresh_token: refresh.expose().to_owned(),
                };
                Reply::json(200, &SessionOpened { user, tokens: Some(tokens) })
            }
            Tokens::Cookie { secret, max_age_s } => Reply::json(200, &SessionOpened { user, tokens: None })
                .header("set-cookie", cookie.set(secret.expose(), *max_age_s)),
        }
    })
}

/// The cookie goes with the session, and browsers forget what they kept of this site.
fn ended_receipt(claimed: Claimed, cookie: SessionCookie) -> Receipt<()> {
    claimed.receipt(move |(): &()| {
        Reply::empty(204).header("set-cookie", cookie.clear()).header("clear-site-data", "\"cache\"")
    })
}
