"""The GET of a task as many would write it, to compare with: FastAPI, SQLAlchemy, asyncpg and PyJWT on Pressroom's own tables.

It does what Pressroom does for that request. The signature, issuer, audience and times of a token are checked, its session and
user are looked up and believed for five seconds, and the task is read by its id and shown to its owner alone.

usage: rival.py TOKEN, which prints a token of the rival's own with what Pressroom's TOKEN says; or uvicorn rival:app
"""

import os
import sys
import time
from datetime import datetime, timezone
from typing import Annotated, Any
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, ConfigDict, Json
from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SECRET = "a secret of the bench alone, which opens nothing"
AUDIENCE = "pressroom"
ISSUER = "rival"
BELIEVED_S = 5.0


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str]
    plan: Mapped[str]
    status: Mapped[str]


class Session(Base):
    __tablename__ = "sessions"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    owner: Mapped[str]
    state: Mapped[str]
    priority: Mapped[int]
    attempts: Mapped[int]
    max_attempts: Mapped[int]
    cancel_requested: Mapped[bool]
    progress: Mapped[str | None]
    result: Mapped[str | None]
    error: Mapped[str | None]
    run_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Task(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    kind: str
    state: str
    priority: int
    attempts: int
    max_attempts: int
    cancel_requested: bool
    progress: Json[Any] | None
    result: Json[Any] | None
    error: Json[Any] | None
    run_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


# As Pressroom has it: ten connections for the server, five for each worker, and no transaction around a single read.
engine = create_async_engine(
    os.environ.get("RIVAL_DATABASE", "postgresql+asyncpg://"), pool_size=5, max_overflow=0, isolation_level="AUTOCOMMIT"
)
open_session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
believed: dict[UUID, tuple[float, User, Session]] = {}


async def database():
    async with open_session() as session:
        yield session


Database = Annotated[AsyncSession, Depends(database)]


async def signed_in(db: Database, authorization: Annotated[str, Header()]) -> User:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise HTTPException(401, "send a bearer token")
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER)
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "the token is not one of ours") from error
    now = time.monotonic()
    sid = UUID(claims["sid"])
    found = believed.get(sid)
    if found is None or now - found[0] > BELIEVED_S:
        query = select(User, Session).join(Session, Session.user_id == User.id)
        row = (await db.execute(query.where(Session.id == sid, Session.revoked_at.is_(None)))).one_or_none()
        if row is None:
            raise HTTPException(401, "the session has ended")
        found = believed[sid] = (now, row[0], row[1])
    _, user, session = found
    if user.status == "banned" or session.expires_at <= datetime.now(timezone.utc) or str(user.id) != claims["sub"]:
        raise HTTPException(401, "the session has ended")
    return user


@app.get("/api/v1/tasks/{id}")
async def show(id: UUID, db: Database, user: Annotated[User, Depends(signed_in)]) -> Task:
    job = await db.get(Job, id)
    if job is None or job.owner != str(user.id):
        raise HTTPException(404, "there is no such task")
    return job


if __name__ == "__main__":
    claims = jwt.decode(sys.argv[1], options={"verify_signature": False})
    # The bench may take longer than a token of Pressroom lasts.
    claims |= {"iss": ISSUER, "exp": claims["iat"] + 24 * 60 * 60}
    print(jwt.encode(claims, SECRET, algorithm="HS256"))
