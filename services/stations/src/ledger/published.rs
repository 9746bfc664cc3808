//! How far the register is.

use super::Ledger;

impl Ledger {
    /// The number of the next register: higher than every one before, and than `stored`, which is in the store.
    pub async fn next_sequence(&self, stored: u64) -> sqlx::Result<u64> {
        let stored = i64::try_from(stored).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let update =
            sqlx::query_scalar("UPDATE published SET sequence = greatest(sequence, $1) + 1 RETURNING sequence");
        let next: i64 = update.bind(stored).fetch_one(&self.0).await?;
        u64::try_from(next).map_err(|error| sqlx::Error::Decode(error.into()))
    }

    /// The highest number any register was signed with.
    pub async fn sequence(&self) -> sqlx::Result<u64> {
        let sequence: i64 = sqlx::query_scalar("SELECT sequence FROM published").fetch_one(&self.0).await?;
        u64::try_from(sequence).map_err(|error| sqlx::Error::Decode(error.into()))
    }
}
