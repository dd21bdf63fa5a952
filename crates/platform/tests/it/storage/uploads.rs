//! Uploads: they go on where they broke off, become one file, and leave nothing when they do not.

use axum::body::Bytes;
use futures::StreamExt as _;
use kernel::ErrorKind;
use platform::{
    both_databases,
    storage::{CheckError, Chunk, StorageError, StorageSettings, UploadState},
    testing::TestDb,
};

use super::desk::{Desk, HOUR_MS, broken_chunk, chunk, noise, settings, user};

both_databases! {
    async fn an_upload_goes_on_where_it_broke_off_after_a_restart(test: &TestDb) {
        let desk = Desk::new(test).await;
        let bytes = noise(1, 1_000_000);
        let upload = desk.begin(&user(1), 1_000_000).await.unwrap();
        let cut = desk.files.append(&user(1), upload.id, broken_chunk(0, &bytes[..300_001])).await;
        assert!(matches!(cut, Err(StorageError::Body(_))), "{cut:?}");
        let files = desk.restarted();
        assert_eq!(files.get_upload(&user(1), upload.id).await.unwrap().offset_bytes, 300_001);
        let early = files.append(&user(1), upload.id, chunk(300_000, &bytes[300_000..])).await;
        assert!(matches!(early, Err(StorageError::Offset { expected: 300_001, given: 300_000 })), "{early:?}");
        let part = files.append(&user(1), upload.id, chunk(300_001, &bytes[300_001..300_002])).await.unwrap();
        assert_eq!((part.offset_bytes, &part.state), (300_002, &UploadState::Receiving));
        let whole = desk.restarted().append(&user(1), upload.id, chunk(300_002, &bytes[300_002..])).await.unwrap();
        assert_eq!(whole.state, UploadState::Complete);
        let file = desk.files.get(&user(1), whole.file_id()).await.unwrap();
        assert_eq!((file.size_bytes, file.hash), (1_000_000, blake3::hash(&bytes)));
        assert_eq!(desk.read(&file).await, bytes);
        assert_eq!((desk.count_objects(), desk.files.used_bytes(&user(1)).await.unwrap()), (1, 1_000_000));
        let more = desk.files.append(&user(1), upload.id, chunk(1_000_000, b"more")).await;
        assert!(matches!(more, Err(StorageError::Complete)), "{more:?}");
    }

    async fn of_two_who_add_at_the_same_place_one_wins(test: &TestDb) {
        let desk = Desk::new(test).await;
        let upload = desk.begin(&user(1), 20).await.unwrap();
        let (ann, other) = (user(1), desk.restarted());
        let adding = (0..8).map(|number| {
            let files = if number % 2 == 0 { &desk.files } else { &other };
            files.append(&ann, upload.id, chunk(0, &[b'0' + number; 10]))
        });
        let added = futures::future::join_all(adding).await;
        let won: Vec<_> = added.iter().enumerate().filter(|(_, result)| result.is_ok()).map(|(number, _)| number).collect();
        assert_eq!(won.len(), 1, "{added:?}");
        for lost in added.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(lost, StorageError::Offset { expected: 10, given: 0 }), "{lost}");
        }
        assert_eq!(desk.count_objects(), 1, "what lost is not kept");
        let whole = desk.files.append(&ann, upload.id, chunk(10, &[b'x'; 10])).await.unwrap();
        let file = desk.files.get(&ann, whole.file_id()).await.unwrap();
        let winner = [b'0' + u8::try_from(won[0]).unwrap(); 10];
        assert_eq!(desk.read(&file).await, [winner, [b'x'; 10]].concat());
    }

    async fn a_piece_that_does_not_fit_its_checksum_leaves_the_upload_where_it_was(test: &TestDb) {
        let desk = Desk::new(test).await;
        let upload = desk.begin(&user(1), 11).await.unwrap();
        let checksum = || Some("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=".parse().unwrap());
        let wrong = Chunk { checksum: checksum(), ..chunk(0, b"hello worle") };
        let wrong = desk.files.append(&user(1), upload.id, wrong).await;
        assert!(matches!(wrong, Err(StorageError::Checksum(_))), "{wrong:?}");
        let cut = Chunk { checksum: checksum(), ..broken_chunk(0, b"hello world") };
        assert!(matches!(desk.files.append(&user(1), upload.id, cut).await, Err(StorageError::Body(_))));
        assert_eq!(desk.files.get_upload(&user(1), upload.id).await.unwrap().offset_bytes, 0);
        assert_eq!(desk.count_objects(), 0);
        let right = Chunk { checksum: checksum(), ..chunk(0, b"hello world") };
        assert_eq!(desk.files.append(&user(1), upload.id, right).await.unwrap().state, UploadState::Complete);
    }

    async fn a_whole_upload_that_could_not_be_looked_into_is_finished_by_whoever_asks(test: &TestDb) {
        let desk = Desk::new(test).await;
        let upload = desk.begin(&user(1), 5).await.unwrap();
        desk.content.next(Err(CheckError::Failed("no ffprobe".into())));
        let failed = desk.files.append(&user(1), upload.id, chunk(0, b"bytes")).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Unavailable);
        let ann = user(1);
        let asking = (0..4).map(|_| desk.files.get_upload(&ann, upload.id));
        for asked in futures::future::join_all(asking).await {
            assert_eq!(asked.unwrap().state, UploadState::Complete);
        }
        assert_eq!(desk.count_objects(), 1);

        let left = desk.begin(&user(1), 5).await.unwrap();
        desk.content.next(Err(CheckError::Failed("no ffprobe".into())));
        desk.files.append(&user(1), left.id, chunk(0, b"bytes")).await.unwrap_err();
        let swept = desk.restarted().sweep().await.unwrap();
        assert_eq!((swept.finished_uploads, swept.expired_uploads), (1, 0));
        assert!(desk.files.get(&user(1), left.file_id()).await.is_ok());
    }

    async fn a_refused_upload_says_why_and_counts_no_more(test: &TestDb) {
        let desk = Desk::new(test).await;
        let upload = desk.begin(&user(1), 5).await.unwrap();
        desk.content.next(Err(CheckError::Refused("is a program".to_owned())));
        let refused = desk.files.append(&user(1), upload.id, chunk(0, b"bytes")).await.unwrap_err();
        assert_eq!(refused.to_string(), "the file was refused: it is a program");
        let upload = desk.files.get_upload(&user(1), upload.id).await.unwrap();
        assert_eq!(upload.state, UploadState::Refused("is a program".to_owned()));
        assert!(desk.files.get(&user(1), upload.file_id()).await.is_err());
        assert_eq!((desk.count_objects(), desk.files.used_bytes(&user(1)).await.unwrap()), (0, 0));
    }

    async fn an_upload_that_is_ended_or_left_leaves_nothing(test: &TestDb) {
        let desk = Desk::new(test).await;
        let ended = desk.begin(&user(1), 10).await.unwrap();
        let left = desk.begin(&user(1), 10).await.unwrap();
        for upload in [&ended, &left] {
            desk.files.append(&user(1), upload.id, chunk(0, b"bytes")).await.unwrap();
        }
        assert_eq!((desk.count_objects(), desk.files.used_bytes(&user(1)).await.unwrap()), (2, 20));
        let foreign = desk.files.end_upload(&user(2), ended.id).await;
        assert!(matches!(foreign, Err(StorageError::NoUpload(_))));
        desk.files.end_upload(&user(1), ended.id).await.unwrap();
        assert!(matches!(desk.files.get_upload(&user(1), ended.id).await, Err(StorageError::NoUpload(_))));
        assert_eq!((desk.count_objects(), desk.files.used_bytes(&user(1)).await.unwrap()), (1, 10));
        desk.clock.jump(23 * HOUR_MS);
        assert_eq!(desk.files.sweep().await.unwrap().expired_uploads, 0);
        desk.clock.jump(2 * HOUR_MS);
        assert!(matches!(desk.files.append(&user(1), left.id, chunk(5, b"bytes")).await, Err(StorageError::NoUpload(_))));
        assert_eq!(desk.files.sweep().await.unwrap().expired_uploads, 1);
        assert_eq!((desk.count_objects(), desk.files.used_bytes(&user(1)).await.unwrap()), (0, 0));
    }

    async fn the_file_of_a_complete_upload_outlives_it(test: &TestDb) {
        let desk = Desk::new(test).await;
        for end in [0, 1] {
            let upload = desk.begin(&user(1), 5).await.unwrap();
            desk.files.append(&user(1), upload.id, chunk(0, b"bytes")).await.unwrap();
            if end == 0 {
                desk.files.end_upload(&user(1), upload.id).await.unwrap();
            } else {
                desk.clock.jump(25 * HOUR_MS);
                assert_eq!(desk.files.sweep().await.unwrap().expired_uploads, 1);
            }
            assert!(desk.files.get(&user(1), upload.file_id()).await.is_ok());
        }
        assert_eq!(desk.files.used_bytes(&user(1)).await.unwrap(), 10);
    }

    async fn uploads_are_bounded_before_and_while_they_come(test: &TestDb) {
        let desk = Desk::with(test, StorageSettings { max_file_bytes: 100, user_quota_bytes: 150, ..settings() }).await;
        assert!(matches!(desk.begin(&user(1), 101).await, Err(StorageError::TooLarge { max_bytes: 100 })));
        assert!(matches!(desk.begin(&user(1), 0).await, Err(StorageError::Empty)));
        let first = desk.begin(&user(1), 100).await.unwrap();
        assert!(matches!(desk.begin(&user(1), 51).await, Err(StorageError::Quota { .. })));
        let over = desk.files.append(&user(1), first.id, chunk(0, &[0; 101])).await;
        assert!(matches!(over, Err(StorageError::TooLarge { max_bytes: 100 })), "{over:?}");
        assert_eq!(desk.files.get_upload(&user(1), first.id).await.unwrap().offset_bytes, 0);
    }

    async fn what_came_is_kept_also_when_nobody_waits_for_the_answer(test: &TestDb) {
        let desk = Desk::new(test).await;
        let upload = desk.begin(&user(1), 10).await.unwrap();
        let (sender, receiver) = futures::channel::mpsc::unbounded();
        sender.unbounded_send(Ok(Bytes::from_static(b"bytes"))).unwrap();
        let ann = user(1);
        let piece = Chunk { offset: 0, body: receiver.boxed(), checksum: None };
        let adding = desk.files.append(&ann, upload.id, piece);
        // The handler of a connection that is cut is dropped; only then its body ends.
        assert!(tokio::time::timeout(std::time::Duration::from_millis(100), adding).await.is_err());
        sender.unbounded_send(Err("cut".into())).unwrap();
        for _ in 0..100 {
            if desk.files.get_upload(&ann, upload.id).await.unwrap().offset_bytes == 5 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("what came is lost");
    }
}
