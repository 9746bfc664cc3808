//! Who and what a fresh stack knows: one agency under each of the five regulations, its people and its station.

use custos_domain::ids::{StationId, TenantId, UnitPath};
use serde::{Deserialize, Serialize};

/// A station of the sample data, and of every certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Station {
    /// The agency.
    pub tenant: TenantId,
    /// The unit in which it stands.
    pub unit: UnitPath,
    /// Its id.
    pub id: StationId,
}

impl Station {
    /// A station by the texts of its three names.
    pub fn parse(tenant: &str, unit: &str, id: &str) -> anyhow::Result<Self> {
        Ok(Self { tenant: TenantId::parse(tenant)?, unit: UnitPath::parse(unit)?, id: StationId::parse(id)? })
    }
}

/// Someone who can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// What `deploy/local/token` calls them; the `sub` of their token.
    pub id: &'static str,
    /// Their name.
    pub name: &'static str,
    /// Their agency.
    pub tenant: &'static str,
    /// Their unit: what they may see is in it or below (分級授權: ).
    pub unit: &'static str,
    /// What they are.
    pub roles: &'static [&'static str],
}

/// The seeded people: in every agency an officer of the enforcing unit and those above who decide, review and audit. The
/// second leader is there because two people release a hold.
pub const PEOPLE: &[Person] = &[
    person("a-officer", "王海燕", "A", "JIANGSU/NANJING", &["officer"]),
    person("a-leader", "陳國棟", "A", "JIANGSU", &["leader"]),
    person("a-leader2", "沈玉蘭", "A", "JIANGSU", &["leader"]),
    person("a-legal", "周明德", "A", "JIANGSU", &["legal_reviewer"]),
    person("a-archivist", "徐靜", "A", "JIANGSU/NANJING", &["archivist"]),
    person("a-auditor", "吳廣義", "A", "JIANGSU", &["auditor"]),
    person("a-admin", "孫立群", "A", "JIANGSU", &["admin"]),
    person("b-officer", "李春生", "B", "MARKET/EAST", &["officer"]),
    person("b-leader", "趙鐵柱", "B", "MARKET", &["leader"]),
    person("b-leader2", "何秀英", "B", "MARKET", &["leader"]),
    person("b-legal", "許文斌", "B", "MARKET", &["legal_reviewer"]),
    person("b-archivist", "馬小紅", "B", "MARKET/EAST", &["archivist"]),
    person("b-auditor", "高志遠", "B", "MARKET", &["auditor"]),
    person("b-admin", "林曉東", "B", "MARKET", &["admin"]),
    person("c-officer", "劉建華", "C", "BUREAU/TEAM_1", &["officer"]),
    person("c-leader", "楊振宇", "C", "BUREAU", &["leader"]),
    person("c-leader2", "羅美華", "C", "BUREAU", &["leader"]),
    person("c-legal", "黃思源", "C", "BUREAU", &["legal_reviewer"]),
    person("c-archivist", "朱麗娟", "C", "BUREAU/TEAM_1", &["archivist"]),
    person("c-auditor", "胡正平", "C", "BUREAU", &["auditor"]),
    person("c-admin", "郭永強", "C", "BUREAU", &["admin"]),
    person("d-officer", "張魯生", "D", "ZIBO/ZHANGDIAN", &["officer"]),
    person("d-leader", "宋德勝", "D", "ZIBO", &["leader"]),
    person("d-leader2", "唐雪梅", "D", "ZIBO", &["leader"]),
    person("d-legal", "韓守法", "D", "ZIBO", &["legal_reviewer"]),
    person("d-archivist", "曹桂芳", "D", "ZIBO/ZHANGDIAN", &["archivist"]),
    person("d-auditor", "鄧秉公", "D", "ZIBO", &["auditor"]),
    person("d-admin", "馮海濤", "D", "ZIBO", &["admin"]),
    person("e-officer", "張偉", "E", "NANJING/XUANWU", &["officer"]),
    person("e-leader", "梁志剛", "E", "NANJING", &["leader"]),
    person("e-leader2", "蘇婉清", "E", "NANJING", &["leader"]),
    person("e-legal", "謝明律", "E", "NANJING", &["legal_reviewer"]),
    person("e-archivist", "葉秋菊", "E", "NANJING/XUANWU", &["archivist"]),
    person("e-auditor", "范察微", "E", "NANJING", &["auditor"]),
    person("e-admin", "鄭和平", "E", "NANJING", &["admin"]),
];

/// Tenant, unit and id of the seeded stations.
const STATIONS: [[&str; 3]; 5] = [
    ["A", "JIANGSU/NANJING", "A_NANJING_01"],
    ["B", "MARKET/EAST", "B_EAST_01"],
    ["C", "BUREAU/TEAM_1", "C_TEAM1_01"],
    ["D", "ZIBO/ZHANGDIAN", "D_ZHANGDIAN_01"],
    ["E", "NANJING/XUANWU", "E_XUANWU_01"],
];

/// The seeded stations, one for each agency.
pub fn stations() -> anyhow::Result<Vec<Station>> {
    STATIONS.iter().map(|[tenant, unit, id]| Station::parse(tenant, unit, id)).collect()
}

/// The seeded station of an agency.
pub fn station(tenant: &str) -> anyhow::Result<Station> {
    let found = stations()?.into_iter().find(|station| station.tenant.as_str() == tenant);
    found.ok_or_else(|| anyhow::anyhow!("there is no seeded station of tenant {tenant}; use A, B, C, D or E"))
}

/// The seeded station that may deposit without a signed declaration: any tus client with its certificate.
pub fn plain_station() -> anyhow::Result<Station> {
    Station::parse("E", "NANJING/XUANWU", "E_PLAIN_01")
}

/// A seeded person by id.
pub fn find(id: &str) -> anyhow::Result<&'static Person> {
    PEOPLE.iter().find(|person| person.id == id).ok_or_else(|| {
        let known: Vec<&str> = PEOPLE.iter().map(|person| person.id).collect();
        anyhow::anyhow!("nobody is called `{id}`; there are: {}", known.join(", "))
    })
}

const fn person(
    id: &'static str,
    name: &'static str,
    tenant: &'static str,
    unit: &'static str,
    roles: &'static [&'static str],
) -> Person {
    Person { id, name, tenant, unit, roles }
}

#[cfg(test)]
mod tests {
    use custos_domain::ids::PersonId;

    use super::*;

    #[test]
    fn everyone_has_legal_names_and_an_agency_with_a_station() {
        for person in PEOPLE {
            PersonId::parse(person.id).expect("person");
            let unit = UnitPath::parse(person.unit).expect("unit");
            let station = station(person.tenant).expect("station");
            assert!(unit.contains(&station.unit), "{}", person.id);
            assert_eq!(find(person.id).expect("found"), person);
        }
        assert!(find("nobody").expect_err("unknown").to_string().contains("e-leader"));
    }
}
