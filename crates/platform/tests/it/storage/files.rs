//! Files: received, read, listed, removed, counted; and what is left of those that came to nothing.

use std::time::Duration;

use axum::body::Bytes;
use kernel::{ErrorKind, PageRequest, PageSize, Role};
use platform::{
    both_databases,
    storage::{CheckError, FileName, NewFile, StorageError, StorageSettings},
    testing::TestDb,
};

use super::desk::{Desk, HOUR_MS, NOW_MS, actor, now_ms, settings, user};

both_databases! {
    async fn a_file_is_received_shown_to_its_owner_and_removed(test: &TestDb) {
        let desk = Desk::new(test).await;
        let (ann, bob) = (user(1), user(2));
        let file = desk.receive(&ann, "../talk.mp4", b"some bytes").await.unwrap();
        assert_eq!((file.name.as_str(), file.media_type.as_str(), file.size_bytes), ("../talk.mp4", "video/mp4", 10));
        assert_eq!(file.hash, blake3::hash(b"some bytes"));
        assert_eq!(desk.files.get(&ann, file.id).await.unwrap(), file);
        assert_eq!(desk.read(&file).await, b"some bytes");
        assert!(matches!(desk.files.get(&bob, file.id).await, Err(StorageError::NoFile(_))));
        assert!(matches!(desk.files.delete(&bob, file.id).await, Err(StorageError::NoFile(_))));
        assert_eq!(desk.files.used_bytes(&ann).await.unwrap(), 10);
        desk.files.delete(&ann, file.id).await.unwrap();
        assert!(matches!(desk.files.get(&ann, file.id).await, Err(StorageError::NoFile(_))));
        assert_eq!((desk.files.used_bytes(&ann).await.unwrap(), desk.count_objects()), (0, 0));
    }

    async fn files_are_listed_newest_first_in_pages(test: &TestDb) {
        let desk = Desk::new(test).await;
        for number in 0..5 {
            desk.receive(&user(1), &number.to_string(), b"bytes").await.unwrap();
            desk.receive(&user(2), "other", b"bytes").await.unwrap();
        }
        let (mut names, mut request) = (Vec::new(), PageRequest { size: PageSize::new(2).unwrap(), after: None });
        loop {
            let page = desk.files.list(&user(1), &request).await.unwrap();
            names.extend(page.items.into_iter().map(|file| file.name.to_string()));
            let Some(next) = page.next_cursor else { break };
            request.after = Some(next);
        }
        assert_eq!(names, ["4", "3", "2", "1", "0"]);
    }

    async fn nothing_is_left_of_a_file_that_is_refused_too_large_empty_or_broken_off(test: &TestDb) {
        let desk = Desk::with(test, StorageSettings { max_file_bytes: 10, ..settings() }).await;
        desk.content.next(Err(CheckError::Refused("is a program".to_owned())));
        let refused = desk.receive(&user(1), "a", b"bytes").await.unwrap_err();
        assert_eq!(refused.to_string(), "the file was refused: it is a program");
        desk.content.next(Err(CheckError::Failed("no ffprobe".into())));
        assert_eq!(desk.receive(&user(1), "a", b"bytes").await.unwrap_err().kind(), ErrorKind::Unavailable);
        let large = desk.receive(&user(1), "a", b"eleven byte").await;
        assert!(matches!(large, Err(StorageError::TooLarge { max_bytes: 10 })), "{large:?}");
        assert!(matches!(desk.receive(&user(1), "a", b"").await, Err(StorageError::Empty)));
        let body = futures::stream::iter([Ok(Bytes::from_static(b"some")), Err(StorageError::Body("cut".into()))]);
        let receipt = platform::idempotency::Receipt::none();
        assert!(desk.files.receive(&user(1), &FileName::new("a"), body, &receipt).await.is_err());
        assert_eq!((desk.count_objects(), desk.files.used_bytes(&user(1)).await.unwrap()), (0, 0));
    }

    async fn files_received_at_the_same_moment_stay_within_the_quota(test: &TestDb) {
        let desk = Desk::with(test, StorageSettings { user_quota_bytes: 55, ..settings() }).await;
        let ann = user(1);
        let receiving = (0..20).map(|_| desk.receive(&ann, "a", b"ten bytes."));
        let received = futures::future::join_all(receiving).await;
        let refused = received.iter().filter(|file| matches!(file, Err(StorageError::Quota { .. }))).count();
        assert_eq!((received.iter().filter(|file| file.is_ok()).count(), refused), (5, 15));
        assert_eq!((desk.files.used_bytes(&ann).await.unwrap(), desk.count_objects()), (50, 5));
        let other = desk.receive(&user(2), "a", b"ten bytes.").await;
        assert!(other.is_ok(), "the quota of one is not that of another");
    }

    async fn objects_without_a_row_are_removed_after_a_day(test: &TestDb) {
        let desk = Desk::new(test).await;
        let file = desk.receive(&user(1), "a", b"bytes").await.unwrap();
        let path = desk.folder.path().join("made by a job");
        std::fs::write(&path, "orphan").unwrap();
        let orphan = desk.files.store(&path).await.unwrap();
        let stage = desk.folder.path().join("objects/00");
        std::fs::create_dir_all(&stage).unwrap();
        std::fs::write(stage.join("0193a5c47b1e7c3a9f002b6d1e8a4c00#1"), "half").unwrap();
        // By the clock of the desk they were all made long ago.
        desk.clock.jump(real_now_ms() - NOW_MS);
        assert_eq!(desk.files.sweep().await.unwrap().objects, 0, "they are younger than a day");
        desk.clock.jump(25 * HOUR_MS);
        assert_eq!(desk.files.sweep().await.unwrap().objects, 2);
        assert_eq!((desk.count_objects(), desk.read(&file).await), (1, b"bytes".to_vec()));
        let new = NewFile { owner: user(1).user_id, name: FileName::new("b"), media_type: "video/mp4".parse().unwrap() };
        let named = desk.files.add(new, &orphan).await.unwrap();
        assert!(desk.files.read(&named, 0..6).await.is_err(), "it is gone");
    }

    async fn a_job_stores_a_file_and_names_it_in_its_own_transaction(test: &TestDb) {
        let desk = Desk::new(test).await;
        let path = desk.folder.path().join("video");
        std::fs::write(&path, "a finished video").unwrap();
        let stored = desk.files.store(&path).await.unwrap();
        let new = NewFile { owner: user(1).user_id, name: FileName::new("v.mp4"), media_type: "video/mp4".parse().unwrap() };
        let tx = test.db().begin().await.unwrap();
        let file = desk.files.add_in(&tx, new.clone(), &stored).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(desk.files.find(file.id).await.unwrap(), None);
        let file = desk.files.add(new, &stored).await.unwrap();
        assert_eq!(desk.read(&file).await, b"a finished video");
        assert_eq!(std::fs::read(desk.files.local_copy(&file).await.unwrap().path()).unwrap(), b"a finished video");
    }

    async fn a_link_opens_its_file_for_anybody_until_it_expires_or_the_file_is_gone(test: &TestDb) {
        let desk = Desk::new(test).await;
        let file = desk.receive(&user(1), "a", b"bytes").await.unwrap();
        let other = desk.receive(&user(1), "b", b"bytes").await.unwrap();
        assert!(desk.files.link(&user(2), file.id, None).await.is_err());
        let link = desk.files.link(&user(1), file.id, Some(Duration::from_hours(1))).await.unwrap();
        assert_eq!(desk.restarted().open_link(file.id, &link.token).await.unwrap(), file);
        assert_eq!(desk.files.open_link(other.id, &link.token).await.unwrap_err().kind(), ErrorKind::Forbidden);
        desk.clock.jump(HOUR_MS);
        assert_eq!(desk.files.open_link(file.id, &link.token).await.unwrap_err().kind(), ErrorKind::Forbidden);
        let long = desk.files.link(&user(1), file.id, Some(Duration::MAX)).await.unwrap();
        assert_eq!(long.expires_at_ms, now_ms(&desk) + 7 * 24 * HOUR_MS);
        desk.files.delete(&user(1), file.id).await.unwrap();
        assert_eq!(desk.files.open_link(file.id, &long.token).await.unwrap_err().kind(), ErrorKind::NotFound);
    }

    async fn who_makes_nothing_brings_nothing(test: &TestDb) {
        let desk = Desk::new(test).await;
        let viewer = actor(1, Role::Viewer);
        assert_eq!(desk.receive(&viewer, "a", b"bytes").await.unwrap_err().kind(), ErrorKind::Forbidden);
        assert_eq!(desk.begin(&viewer, 5).await.unwrap_err().kind(), ErrorKind::Forbidden);
        assert_eq!(desk.count_objects(), 0);
    }
}

#[tokio::test]
async fn a_disk_without_room_takes_nothing() {
    let test = TestDb::sqlite().await;
    let desk = Desk::with(&test, StorageSettings { min_free_bytes: u64::MAX, ..settings() }).await;
    for error in [desk.receive(&user(1), "a", b"bytes").await.unwrap_err(), desk.begin(&user(1), 5).await.unwrap_err()]
    {
        assert!(matches!(error, StorageError::DiskFull), "{error}");
        assert!(error.retry_after().is_some());
    }
    test.remove().await;
}

fn real_now_ms() -> i64 {
    kernel::Clock::now_ms(&kernel::SystemClock)
}
