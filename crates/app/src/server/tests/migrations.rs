//! The tables of all contexts, made and taken away again.

use platform::{both_databases, db::migrate, testing::TestDb};

use crate::server::migrations;

both_databases! {
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
