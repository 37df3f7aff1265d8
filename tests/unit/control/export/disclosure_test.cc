// The whole matrix of role x state x release class x field, for the built-in rules and for every
// shipped and many arbitrary policies.
#include "control/export/disclosure.h"

#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "control/admission/disclosure_names.h"
#include "tests/unit/control/admission/shipped_profiles.h"

namespace weir::control {
namespace {

using record::v1::OPERATOR_ONLY;
using record::v1::PUBLIC;
using record::v1::Record;
using record::v1::ReleaseClass;
using record::v1::ReleaseState;

constexpr Role kRoles[] = {Role::kPublic, Role::kOperator, Role::kResearcher,
                           Role::kOtherResearcher, Role::kPartner};
constexpr ReleaseState kStates[] = {record::v1::COLLECTED, record::v1::EMBARGOED,
                                    record::v1::RELEASED, record::v1::ANONYMISED};
constexpr Field kAllFields[] = {Field::kOutline, Field::kMeasurement, Field::kMetadata,
                                Field::kClient};

constexpr char kBase[] =
    "profile: 'lab' admission { name: 'r' effect: ALLOW } "
    "export { name: 'x' effect: ALLOW address: 'full' release_class: 'public' } ";

// "om-c" for a set without metadata.
std::string Letters(Fields fields) {
  std::string text;
  for (const Field field : kAllFields) {
    const char letter = kFieldNames[static_cast<size_t>(field)][field == Field::kMetadata ? 3 : 0];
    text += fields.Has(field) ? letter : '-';
  }
  return text;
}

// A record with something in each field the schema has.
Record FullRecord() {
  Record record;
  const auto* reflection = record.GetReflection();
  const auto* descriptor = Record::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    if (field->is_repeated()) {
      reflection->AddMessage(&record, field);
    } else if (field->cpp_type() == field->CPPTYPE_MESSAGE) {
      reflection->MutableMessage(&record, field);
    } else if (field->cpp_type() == field->CPPTYPE_STRING) {
      reflection->SetString(&record, field, "x");
    } else if (field->cpp_type() == field->CPPTYPE_BOOL) {
      reflection->SetBool(&record, field, true);
    } else {
      reflection->SetEnumValue(&record, field, 1);
    }
  }
  record.mutable_client()->set_value("192.0.2.1");
  return record;
}

TEST(DisclosureTest, TheFoundingPagesMatrix) {
  struct Row {
    Role role;
    const char* by_state[4];
    const char* operator_only;
  };
  // o outline, m measurement, a metadata, c client.
  constexpr Row kMatrix[] = {
      {Role::kPublic, {"----", "----", "omac", "omac"}, "----"},
      {Role::kOperator, {"o---", "o---", "omac", "omac"}, "omac"},
      {Role::kResearcher, {"omac", "omac", "omac", "omac"}, "----"},
      {Role::kOtherResearcher, {"----", "----", "omac", "omac"}, "----"},
      {Role::kPartner, {"----", "----", "omac", "omac"}, "----"},
  };
  const auto policy = *Policy::Parse("p", kBase);
  for (const Row& row : kMatrix) {
    for (size_t i = 0; i < 4; ++i) {
      const std::string where =
          absl::StrCat(kRoleNames[static_cast<size_t>(row.role)], " of ", kStateNames[i]);
      EXPECT_EQ(Letters(Disclose(*policy, row.role, kStates[i], PUBLIC)), row.by_state[i]) << where;
      EXPECT_EQ(Letters(Disclose(*policy, row.role, kStates[i], OPERATOR_ONLY)), row.operator_only)
          << where;
    }
  }
}

// Of the records a profile lets exist: public ones, on a bench the owner's.
TEST(DisclosureTest, TheShippedProfilesSayTheSame) {
  const auto built_in = *Policy::Parse("p", kBase);
  for (const auto& [name, release_class] :
       {std::pair("seed-2009", PUBLIC), std::pair("mlab-2026", PUBLIC),
        std::pair("lab", OPERATOR_ONLY)}) {
    const auto policy = ShippedProfile(name);
    EXPECT_TRUE(policy->HasDisclosure()) << name;
    for (const Role role : kRoles) {
      for (size_t state = 0; state < (release_class == PUBLIC ? 4 : 1); ++state) {
        EXPECT_EQ(Letters(Disclose(*policy, role, kStates[state], release_class)),
                  Letters(Disclose(*built_in, role, kStates[state], release_class)))
            << name << ": " << kRoleNames[static_cast<size_t>(role)] << " of "
            << kStateNames[state];
      }
    }
  }
}

// Whatever policies say: what may be read is what every layer allows, and within the ceiling.
TEST(DisclosureTest, NothingIsReadableThatAPolicyDenies) {
  std::mt19937 random(20'261'125);
  const auto some = [&](const auto& names, const char* field) {
    std::string text;
    for (const char* name : names) {
      if (random() % 2 == 0) absl::StrAppend(&text, " ", field, ": '", name, "'");
    }
    return text.empty() ? absl::StrCat(" ", field, ": '", names[0], "'") : text;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<std::shared_ptr<const PolicyLayer>> layers;
    for (unsigned layer = 0; layer <= random() % 2; ++layer) {
      std::string text = kBase;
      for (unsigned i = 0; i < 1 + random() % 3; ++i) {
        absl::StrAppend(&text, "disclosure { name: 'd", i, "'", some(kRoleNames, "role"),
                        some(kStateNames, "state"), some(kFieldNames, "field"), " }");
      }
      layers.push_back(*PolicyLayer::Parse("p", text));
    }
    const auto policy = Policy::Stack(layers);
    for (const Role role : kRoles) {
      for (size_t state = 0; state < 4; ++state) {
        for (const ReleaseClass release_class : {PUBLIC, OPERATOR_ONLY}) {
          const Fields ceiling = DisclosureCeiling(role, kStates[state], release_class);
          const Fields fields = Disclose(*policy, role, kStates[state], release_class);
          Record record = FullRecord();
          Redact(fields, &record);
          for (const Field field : kAllFields) {
            const bool by_policy =
                policy->Discloses(kRoleNames[static_cast<size_t>(role)], kStateNames[state],
                                  kFieldNames[static_cast<size_t>(field)]);
            EXPECT_EQ(fields.Has(field), by_policy && ceiling.Has(field));
          }
          for (int i = 0; i < Record::descriptor()->field_count(); ++i) {
            const auto* field = Record::descriptor()->field(i);
            const bool there = field->is_repeated()
                                   ? record.GetReflection()->FieldSize(record, field) != 0
                                   : record.GetReflection()->HasField(record, field);
            EXPECT_EQ(there, fields.Has(*FieldOf(field->name()))) << field->name();
          }
          // Before release an address is the experiment's researchers' alone.
          if (release_class == PUBLIC && state < 2 && role != Role::kResearcher) {
            EXPECT_EQ(record.client().value(), "");
          }
        }
      }
    }
  }
}

TEST(DisclosureTest, EveryFieldOfARecordHasAClass) {
  for (int i = 0; i < Record::descriptor()->field_count(); ++i) {
    EXPECT_TRUE(FieldOf(Record::descriptor()->field(i)->name()).ok())
        << Record::descriptor()->field(i)->name();
  }
  EXPECT_FALSE(FieldOf("payload").ok());
}

TEST(DisclosureTest, WhoReads) {
  Record record;
  record.set_experiment("broadband");
  EXPECT_EQ(Reader::Parse("")->RoleTowards(record), Role::kOperator);
  EXPECT_EQ(Reader::Parse("public")->RoleTowards(record), Role::kPublic);
  EXPECT_EQ(Reader::Parse("researcher:broadband")->RoleTowards(record), Role::kResearcher);
  EXPECT_EQ(Reader::Parse("researcher:other")->RoleTowards(record), Role::kOtherResearcher);
  EXPECT_EQ(Reader::Parse("partner:university")->RoleTowards(record), Role::kPartner);
  for (const char* wrong : {"researcher", "researcher:", "root", "partner:a b", "operator:x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Reader::Parse(wrong).status())) << wrong;
  }
}

TEST(DisclosureTest, ARuleMustSayWhomWhenAndWhat) {
  for (const auto& [rule, fault] :
       {std::pair("role: 'public' state: 'released'", "field: required"),
        std::pair("state: 'released' field: 'client'", "role: required"),
        std::pair("role: 'anybody' state: 'released' field: 'client'", "role: \"anybody\""),
        std::pair("role: 'public' state: 'lost' field: 'client'", "state: \"lost\""),
        std::pair("role: 'public' state: 'released' field: 'payload'", "field: \"payload\"")}) {
    const auto policy =
        Policy::Parse("p", absl::StrCat(kBase, "disclosure { name: 'd' ", rule, "}"));
    ASSERT_FALSE(policy.ok()) << rule;
    EXPECT_NE(policy.status().message().find(fault), std::string::npos) << policy.status();
  }
}

TEST(DisclosureTest, AnEmbargoIsBoundedAndOnlyOfPublicRecords) {
  for (const auto& [terms, fault] :
       {std::pair("release_class: 'public' embargo_days: 366", "embargo_days: at most 365"),
        std::pair("release_class: 'operator_only' embargo_days: 1", "only a public record"),
        std::pair("release_class: 'public' anonymise_days: 100000", "anonymise_days: at most")}) {
    const auto policy =
        Policy::Parse("p", absl::StrCat("profile: 'lab' admission { name: 'r' effect: ALLOW } "
                                        "export { name: 'x' effect: ALLOW address: 'full' ",
                                        terms, " }"));
    ASSERT_FALSE(policy.ok()) << terms;
    EXPECT_NE(policy.status().message().find(fault), std::string::npos) << policy.status();
  }
}

}  // namespace
}  // namespace weir::control
