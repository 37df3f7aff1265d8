#include "control/export/delivery/mlab_layout.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

constexpr char kGood[] =
    "weir/weir1/2026/11/25/weir1-down-20261125T213005.000000042Z.0192f0c8-6b7a-7e4e-9d3a-4f1f5a2b"
    ".json";

TEST(MlabLayoutTest, NamesAreByTimeInUtc) {
  const MlabName name{.experiment = "weir",
                      .datatype = "weir1",
                      .subtest = "down",
                      .unix_ns = 1'795'642'205'000'000'042,
                      .uuid = "0192f0c8-6b7a-7e4e-9d3a-4f1f5a2b"};
  EXPECT_EQ(MlabPath(name), kGood);
  EXPECT_TRUE(ValidateMlabPath(kGood).ok()) << ValidateMlabPath(kGood);
}

// Each is a way to be ignored by the uploader for ever.
TEST(MlabLayoutTest, WhatTheUploaderIgnoresIsRefused) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string path = kGood;
    return path.replace(path.find(from), from.size(), to);
  };
  for (const auto& [what, path] : {
           std::pair("a character it does not take", with("weir/", "we ir/")),
           std::pair("not ASCII", with("weir/", "w\xC3\xA9ir/")),
           std::pair("another extension", with(".json", ".txt")),
           std::pair("no extension", with(".json", "")),
           std::pair("another datatype in the name", with("weir1-down", "other-down")),
           std::pair("no subtest", with("weir1-down-", "weir1-")),
           std::pair("an empty subtest", with("-down-", "--")),
           std::pair("milliseconds", with(".000000042Z", ".042Z")),
           std::pair("not UTC", with("042Z", "042")),
           std::pair("no such day", with("20261125T", "20261131T")),
           std::pair("no such hour", with("T213005", "T253005")),
           std::pair("a leap second", with("T213005", "T213060")),
           std::pair("directories of another day", with("2026/11/25", "2026/11/26")),
           std::pair("a short year", with("2026/11/25", "26/11/25")),
           std::pair("no uuid", with(".0192f0c8-6b7a-7e4e-9d3a-4f1f5a2b", "")),
           std::pair("too deep", with("/11/25/", "/11/25/x/")),
           std::pair("not deep enough", with("weir/weir1/", "weir1/")),
           std::pair("a parent directory", with("weir/weir1", "../weir1")),
           std::pair("an empty directory", with("weir/weir1", "/weir1")),
           std::pair("absolute", std::string("/var/spool/") + kGood),
       }) {
    EXPECT_FALSE(ValidateMlabPath(path).ok()) << what << ": " << path;
  }
}

}  // namespace
}  // namespace weir::control
