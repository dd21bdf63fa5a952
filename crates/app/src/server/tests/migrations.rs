//! The tables of all contexts: made and taken away again, and listed by their indexes.

use platform::{both_databases, db::migrate, testing::TestDb};

use crate::server::migrations;

both_databases! {
    async fn lists_of_documents_use_an_index(test: &TestDb) {
        migrate::up(test.db(), &migrations()).await.unwrap();
        let id = "'019ac700-0000-7000-8000-000000000000'";
        for (table, index) in [("videos", "videos_owner"), ("dubs", "dubs_owner")] {
            let list = format!("SELECT id, summary FROM {table} WHERE owner = {id} AND id < {id} ORDER BY id DESC LIMIT 51");
            test.assert_served(&list, &[index]).await;
        }
    }

    async fn every_step_goes_up_and_down_and_up_again(test: &TestDb) {
        let contexts = migrations();
        let steps = migrate::up(test.db(), &contexts).await.unwrap();
        assert_eq!(steps, migrate::status(test.db(), &contexts).await.unwrap().len());
        let made = test.made().await;
        assert!(made.contains(&"jobs".to_owned()), "{made:?}");
        let mut undone = 0;
        for context in contexts.iter().rev() {
            undone += migrate::down(test.db(), *context, usize::MAX).await.unwrap();
        }
        assert_eq!(undone, steps);
        assert_eq!(test.made().await, [""; 0]);
        assert_eq!(migrate::up(test.db(), &contexts).await.unwrap(), steps);
        assert_eq!(test.made().await, made);
    }
}
