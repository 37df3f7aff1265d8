#include "control/export/delivery/row_schema.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace weir::control {
namespace {

constexpr char kColumns[] = R"([
  {"mode":"REQUIRED","name":"id","type":"STRING"},
  {"mode":"NULLABLE","name":"date","type":"DATE"},
  {"mode":"NULLABLE","name":"at","type":"TIMESTAMP"},
  {"mode":"NULLABLE","name":"n","type":"INTEGER"},
  {"mode":"NULLABLE","name":"x","type":"FLOAT"},
  {"mode":"NULLABLE","name":"yes","type":"BOOLEAN"},
  {"mode":"REPEATED","name":"list","type":"INTEGER"},
  {"mode":"NULLABLE","name":"r","type":"RECORD","fields":[
    {"mode":"NULLABLE","name":"inner","type":"STRING"}]}])";

TEST(RowSchemaTest, TakesWhatItDescribes) {
  const auto schema = RowSchema::Parse(kColumns);
  ASSERT_TRUE(schema.ok()) << schema.status();
  for (const char* row :
       {R"({"id":"a"})",
        R"({"id":"a","n":"123456789012345678","x":1.5,"yes":false,"list":[1,"2"]})",
        R"({"id":"a","date":"2026-11-25","at":"2026-11-25T21:30:05.000000042Z"})",
        R"({"id":"a","r":{"inner":"b"}})"}) {
    EXPECT_TRUE(schema->Validate(row).ok()) << row << schema->Validate(row);
  }
}

// Nobody downstream would notice.
TEST(RowSchemaTest, RefusesEveryOtherRow) {
  const auto schema = RowSchema::Parse(kColumns);
  ASSERT_TRUE(schema.ok());
  for (const auto& [row, said] : {
           std::pair("{\"id\":\"a\"\n}", "more than one line"),
           std::pair("{\"id\":\"a\"}\r\n{\"id\":\"b\"}", "more than one line"),
           std::pair(R"({"id":"a")", "not valid JSON"),
           std::pair("{\"id\":\"\xFF\"}", "not valid JSON"),
           std::pair("", "not valid JSON"),
           std::pair(R"(["a"])", "not an object"),
           std::pair(R"({"n":1})", "id: required"),
           std::pair(R"({"id":""})", "id: required"),
           std::pair(R"({"id":"a","unknown":1})", "unknown: not a column"),
           std::pair(R"({"id":"a","r":{"unknown":1}})", "r.unknown: not a column"),
           std::pair(R"({"id":1})", "id: not of type STRING"),
           std::pair(R"({"id":"a","n":1.5})", "n: not of type INTEGER"),
           std::pair(R"({"id":"a","n":"x"})", "n: not of type INTEGER"),
           std::pair(R"({"id":"a","n":"99999999999999999999"})", "n: not of type INTEGER"),
           std::pair(R"({"id":"a","x":"NaN"})", "x: not of type FLOAT"),
           std::pair(R"({"id":"a","yes":"true"})", "yes: not of type BOOLEAN"),
           std::pair(R"({"id":"a","date":"2026-02-30"})", "date: not of type DATE"),
           std::pair(R"({"id":"a","date":"25.11.2026"})", "date: not of type DATE"),
           std::pair(R"({"id":"a","at":"yesterday"})", "at: not of type TIMESTAMP"),
           std::pair(R"({"id":"a","list":1})", "list: must be a list"),
           std::pair(R"({"id":"a","n":[1]})", "n: must not be a list"),
           std::pair(R"({"id":"a","list":[1,"x"]})", "list: not of type INTEGER"),
           std::pair(R"({"id":"a","r":"text"})", "r: not an object"),
       }) {
    const absl::Status status = schema->Validate(row);
    EXPECT_NE(status.message().find(said), std::string::npos) << row << ": " << status;
  }
}

TEST(RowSchemaTest, TablesOnlyGrow) {
  const auto change = [](const std::string& from, const std::string& to) {
    std::string text = kColumns;
    text.replace(text.find(from), from.size(), to);
    return RowSchema::Parse(kColumns)->AllowsChangeTo(*RowSchema::Parse(text));
  };
  EXPECT_TRUE(change("[\n", R"([{"mode":"NULLABLE","name":"new","type":"STRING"},)").ok());
  EXPECT_TRUE(
      change(R"("fields":[)", R"("fields":[{"mode":"NULLABLE","name":"new","type":"STRING"},)")
          .ok());
  for (const absl::Status& refused :
       {change(R"({"mode":"NULLABLE","name":"n","type":"INTEGER"},)", ""),
        change(R"("name":"n","type":"INTEGER")", R"("name":"n","type":"STRING")"),
        change(R"("REPEATED")", R"("NULLABLE")"), change(R"("name":"n")", R"("name":"m")"),
        change(R"("name":"inner","type":"STRING")", R"("name":"inner","type":"INTEGER")")}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  }
}

TEST(RowSchemaTest, WhatIsNoSchemaIsRefused) {
  for (const char* text :
       {"", "{}", "[]", "[1]", R"([{"name":"a"}])", R"([{"mode":"NULLABLE","name":"a"}])",
        R"([{"mode":"SOMETIMES","name":"a","type":"STRING"}])"}) {
    EXPECT_FALSE(RowSchema::Parse(text).ok()) << text;
  }
}

TEST(RowSchemaTest, OursIsOneAndUnchangedByItself) {
  const RowSchema ours = RowSchema::OfRows();
  const auto parsed = RowSchema::Parse(ours.ToJson());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(parsed->AllowsChangeTo(ours).ok());
  EXPECT_TRUE(ours.AllowsChangeTo(*parsed).ok());
  for (const char* column : {"id", "date", "a", "parser", "server", "client", "raw"}) {
    EXPECT_NE(ours.ToJson().find(absl::StrCat("\"name\":\"", column, "\"")), std::string::npos);
  }
}

}  // namespace
}  // namespace weir::control
