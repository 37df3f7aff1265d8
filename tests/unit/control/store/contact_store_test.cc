// Sealed contact details: kept apart, for their time, and gone when they are.
#include "control/store/contact_store.h"

#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "control/admission/policy.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

constexpr int64_t kLeftDayNs = int64_t{86'400} * 1'000'000'000;

class ContactStoreTest : public testing::Test {
 protected:
  void Pass(int64_t ns) {
    clocks_.wall_ns += ns;
    clocks_.boot_ns += ns;
  }
  bool FileHas(const std::string& text) {
    std::ifstream file(path_, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
    return bytes.find(text) != std::string::npos;
  }

  const TempDir dir_;
  const std::string path_ = dir_.File("contacts.db");
  ClockReading clocks_{.wall_ns = int64_t{1'800'000'000} * 1'000'000'000,
                       .boot_ns = 50,
                       .boot_id = "a",
                       .synchronised = true};
  ContactStore store_{path_, [this] { return clocks_; }};
};

TEST_F(ContactStoreTest, TheFileIsMadeWithTheFirst) {
  EXPECT_TRUE(store_.Check().ok());
  EXPECT_TRUE(store_.List("", true)->empty());
  EXPECT_FALSE(*store_.Erase("s"));
  EXPECT_TRUE(store_.RunDeadlines()->empty());
  EXPECT_FALSE(std::filesystem::exists(path_));
  ASSERT_TRUE(store_
                  .Keep({.session_id = "s",
                         .experiment = "e",
                         .key_digest = "sha256:k",
                         .sealed = "sealed-bytes",
                         .keep_days = 3})
                  .ok());
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(ContactStoreTest, AnotherProcessFindsWhatWasKept) {
  for (const char* experiment : {"e", "f"}) {
    ASSERT_TRUE(store_
                    .Keep({.session_id = absl::StrCat("s-", experiment),
                           .experiment = experiment,
                           .key_digest = "sha256:k",
                           .sealed = std::string("\0sealed", 7),
                           .keep_days = 3})
                    .ok());
  }
  EXPECT_TRUE(absl::IsAlreadyExists(store_.Keep({.session_id = "s-e", .keep_days = 3})));
  ContactStore again(path_, [this] { return clocks_; });
  ASSERT_TRUE(again.Check().ok());
  const auto rows = again.List("f", true);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().session_id, "s-f");
  EXPECT_EQ(rows->front().sealed, std::string("\0sealed", 7));
  EXPECT_EQ(rows->front().sealed_bytes, 7u);
  EXPECT_EQ(rows->front().delete_due_ns, clocks_.wall_ns + 3 * kLeftDayNs);
  EXPECT_EQ(again.List("", false)->size(), 2u);
  EXPECT_TRUE(again.List("", false)->front().sealed.empty());
}

TEST_F(ContactStoreTest, WhatIsErasedIsOverwritten) {
  ASSERT_TRUE(
      store_.Keep({.session_id = "s", .sealed = "remember-these-bytes", .keep_days = 3}).ok());
  ASSERT_TRUE(FileHas("remember-these-bytes"));
  EXPECT_TRUE(*store_.Erase("s"));
  EXPECT_FALSE(FileHas("remember-these-bytes"));
  EXPECT_FALSE(*store_.Erase("s"));
}

TEST_F(ContactStoreTest, TheyGoWhenTheirDaysAreOverWhateverTheClockSays) {
  ASSERT_TRUE(
      store_.Keep({.session_id = "s", .sealed = "remember-these-bytes", .keep_days = 3}).ok());
  clocks_.wall_ns += 400 * kLeftDayNs;
  EXPECT_TRUE(store_.RunDeadlines()->empty());
  clocks_.wall_ns -= 800 * kLeftDayNs;
  Pass(3 * kLeftDayNs - 1);
  EXPECT_TRUE(store_.RunDeadlines()->empty());
  Pass(1);
  EXPECT_EQ(*store_.RunDeadlines(), std::vector<std::string>{"s"});
  EXPECT_FALSE(FileHas("remember-these-bytes"));
}

TEST_F(ContactStoreTest, AnotherProgramsFileIsLeftAlone) {
  auto database = Database::Open(path_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  ASSERT_TRUE(database->Execute("CREATE TABLE theirs (a)").ok());
  const absl::Status status = store_.Check();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

// What a policy must say before anybody can leave anything.
class ContactPolicyTest : public testing::Test {
 protected:
  static std::string Key(char seed) {
    std::string secret(crypto_box_SECRETKEYBYTES, seed), key(crypto_box_PUBLICKEYBYTES, '\0');
    crypto_scalarmult_base(reinterpret_cast<unsigned char*>(key.data()),
                           reinterpret_cast<const unsigned char*>(secret.data()));
    return absl::Base64Escape(key);
  }
  static std::string Text(const std::string& contact, const char* profile = "lab") {
    return absl::StrCat(
        "profile: '", profile,
        "' notice: 'A notice.' admission { name: 'r' effect: ALLOW } "
        "export { name: 'x' effect: ALLOW address: 'full' release_class: 'public' } ",
        contact.empty() ? "" : "contact { name: 'c' ", contact, contact.empty() ? "" : " }");
  }
  static std::string Contact(char seed, const std::string& more = "keep_days: 90") {
    return absl::StrCat("experiment: 'e' public_key: '", Key(seed), "' ", more);
  }
  static std::string Fault(const std::string& contact) {
    return std::string(Policy::Parse("p", Text(contact)).status().message());
  }
};

TEST_F(ContactPolicyTest, OffUnlessTheExperimentHasAKey) {
  const auto without = *Policy::Parse("p", Text(""));
  EXPECT_FALSE(without->Contact("e"));
  EXPECT_TRUE(without->ContactExperiments().empty());
  EXPECT_EQ(without->notice(), "A notice.");

  const auto with = *Policy::Parse("p", Text(Contact('a')));
  ASSERT_TRUE(with->Contact("e"));
  EXPECT_FALSE(with->Contact("f"));
  EXPECT_EQ(with->Contact("e")->max_bytes, 512u);
  EXPECT_EQ(with->Contact("e")->keep_days, 90u);
  // Whoever accepts the notice accepts the key.
  EXPECT_NE(with->notice().find(with->Contact("e")->key_digest), std::string::npos);
  EXPECT_NE(with->notice_digest(), without->notice_digest());
  EXPECT_NE(with->notice_digest(), (*Policy::Parse("p", Text(Contact('b'))))->notice_digest());
}

TEST_F(ContactPolicyTest, OfAStackEveryLayerMustHaveTheSameKey) {
  const auto layer = [](const std::string& contact) {
    return *PolicyLayer::Parse("p", Text(contact));
  };
  EXPECT_FALSE(Policy::Stack({layer(Contact('a')), layer("")})->Contact("e"));
  EXPECT_FALSE(Policy::Stack({layer(""), layer(Contact('a'))})->Contact("e"));
  EXPECT_FALSE(Policy::Stack({layer(Contact('a')), layer(Contact('b'))})->Contact("e"));
  const auto both = Policy::Stack(
      {layer(Contact('a', "keep_days: 90 max_bytes: 4096")), layer(Contact('a', "keep_days: 7"))});
  ASSERT_TRUE(both->Contact("e"));
  EXPECT_EQ(both->Contact("e")->keep_days, 7u);
  EXPECT_EQ(both->Contact("e")->max_bytes, 512u);
}

TEST_F(ContactPolicyTest, SaysWhatIsWrong) {
  EXPECT_EQ(Fault(Contact('a')), "");
  EXPECT_NE(Fault(Contact('a', "keep_days: 366")).find("keep_days: required: from 1 to 365"),
            std::string::npos);
  EXPECT_NE(Fault(Contact('a', "")).find("keep_days"), std::string::npos);
  EXPECT_NE(Fault(Contact('a', "keep_days: 1 max_bytes: 5000")).find("max_bytes"),
            std::string::npos);
  EXPECT_NE(Fault("experiment: 'e' keep_days: 1 public_key: 'short'").find("public_key"),
            std::string::npos);
  const std::string zero = absl::Base64Escape(std::string(crypto_box_PUBLICKEYBYTES, '\0'));
  EXPECT_NE(Fault(absl::StrCat("experiment: 'e' keep_days: 1 public_key: '", zero, "'"))
                .find("public_key"),
            std::string::npos);
  EXPECT_NE(Fault(absl::StrCat("keep_days: 1 public_key: '", Key('a'), "'")).find("experiment"),
            std::string::npos);
}

}  // namespace
}  // namespace weir::control
