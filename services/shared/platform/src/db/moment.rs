use jiff::Timestamp;
use sqlx::{
    Decode, Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef, types::Oid},
};

/// `timestamptz` (PostgreSQL's `pg_type.dat`).
const TIMESTAMPTZ: Oid = Oid(1184);
/// 2000-01-01T00:00:00Z, from which PostgreSQL counts, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

/// A point in time as a value of a query: `timestamptz`, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// The moment as it comes back from the database, so that a decision is told with one time everywhere.
    #[must_use]
    pub fn cut(at: Timestamp) -> Self {
        Self(Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at))
    }

    fn to_wire(self) -> i64 {
        self.0.as_microsecond() - EPOCH
    }

    fn from_wire(since: i64) -> Result<Self, jiff::Error> {
        Timestamp::from_microsecond(since.saturating_add(EPOCH)).map(Self)
    }
}

impl Type<Postgres> for Moment {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl Encode<'_, Postgres> for Moment {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.to_wire(), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Moment {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self::from_wire(Decode::<Postgres>::decode(value)?)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_moment_is_sent_as_microseconds_since_2000() {
        let mut buffer = PgArgumentBuffer::default();
        let at: Timestamp = "2000-01-01T00:00:01.0000019Z".parse().expect("timestamp");
        let is_null = Encode::<Postgres>::encode_by_ref(&Moment(at), &mut buffer).expect("encoded");
        assert!(matches!(is_null, IsNull::No));
        assert_eq!(buffer.as_slice(), 1_000_001_i64.to_be_bytes(), "cut, not rounded");
        assert_eq!(Moment::from_wire(1_000_001).expect("moment"), Moment::cut(at));
    }

    #[test]
    fn infinity_is_no_moment() {
        // PostgreSQL's `infinity` and `-infinity` (its timestamp.h).
        assert!(Moment::from_wire(i64::MAX).is_err() && Moment::from_wire(i64::MIN).is_err());
    }

    proptest! {
        #[test]
        fn what_comes_back_is_the_moment_cut(seconds in -2_208_988_800_i64..32_503_680_000, nanos in 0_i32..1_000_000_000) {
            let at = Timestamp::new(seconds, nanos).expect("timestamp");
            let back = Moment::from_wire(Moment(at).to_wire()).expect("moment");
            prop_assert_eq!(back, Moment::cut(at));
            prop_assert_eq!(Moment::cut(back.0), back);
        }
    }
}
