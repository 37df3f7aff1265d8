#include "control/export/delivery/row_schema.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <cmath>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "export/v1/mlab.pb.h"

namespace weir::control {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::ListValue;
using google::protobuf::Struct;
using google::protobuf::Value;

std::string Text(const Struct& column, const char* field) {
  const auto found = column.fields().find(field);
  return found == column.fields().end() ? std::string() : found->second.string_value();
}

const ListValue& Nested(const Struct& column) {
  const auto found = column.fields().find("fields");
  return found == column.fields().end() ? ListValue::default_instance()
                                        : found->second.list_value();
}

const char* TypeOf(const FieldDescriptor& field) {
  const bool top_or_summary = field.containing_type()->full_name() != "weir.record.v1.Record";
  if (top_or_summary && field.name() == "date") return "DATE";
  if (top_or_summary && field.name() == "test_time") return "TIMESTAMP";
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return field.message_type()->full_name() == "google.protobuf.Timestamp" ? "TIMESTAMP"
                                                                              : "RECORD";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "BOOLEAN";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "FLOAT";
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_ENUM:
      return "STRING";
    default:
      return "INTEGER";
  }
}

void AddColumns(const Descriptor& message, bool top, ListValue* columns) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    Struct& column = *columns->add_values()->mutable_struct_value();
    const std::string type = TypeOf(field);
    const bool required = top && (field.name() == "id" || field.name() == "date");
    auto& fields = *column.mutable_fields();
    fields["mode"].set_string_value(field.is_repeated() ? "REPEATED"
                                    : required          ? "REQUIRED"
                                                        : "NULLABLE");
    fields["name"].set_string_value(field.name());
    fields["type"].set_string_value(type);
    if (type == "RECORD") {
      AddColumns(*field.message_type(), false, fields["fields"].mutable_list_value());
    }
  }
}

absl::Status BadRow(const std::string& where, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": ", what));
}

absl::Status CheckColumns(const std::string& where, const ListValue& columns) {
  for (const Value& value : columns.values()) {
    const Struct& column = value.struct_value();
    const std::string name = Text(column, "name"), mode = Text(column, "mode");
    const std::string here = absl::StrCat(where, where.empty() ? "" : ".", name);
    if (name.empty()) return BadRow(where.empty() ? "schema" : where, "a column without a name");
    if (mode != "NULLABLE" && mode != "REQUIRED" && mode != "REPEATED") {
      return BadRow(here, "mode must be NULLABLE, REQUIRED or REPEATED");
    }
    if (Text(column, "type").empty()) return BadRow(here, "a column without a type");
    if (absl::Status status = CheckColumns(here, Nested(column)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

const Struct* FindColumn(const ListValue& columns, const std::string& name) {
  for (const Value& value : columns.values()) {
    if (Text(value.struct_value(), "name") == name) return &value.struct_value();
  }
  return nullptr;
}

absl::Status CheckGrowth(const std::string& where, const ListValue& older, const ListValue& newer) {
  for (const Value& value : older.values()) {
    const Struct& column = value.struct_value();
    const std::string name = Text(column, "name");
    const std::string here = absl::StrCat(where, where.empty() ? "" : ".", name);
    const Struct* now = FindColumn(newer, name);
    const auto refuse = [&](const std::string& what) {
      return absl::FailedPreconditionError(absl::StrCat(
          here, ": ", what, "; a column cannot be taken out or changed: use another datatype"));
    };
    if (now == nullptr) return refuse("is in the schema file and not among this version's columns");
    if (Text(*now, "type") != Text(column, "type") || Text(*now, "mode") != Text(column, "mode")) {
      return refuse(absl::StrCat("is ", Text(column, "mode"), " ", Text(column, "type"),
                                 " in the schema file, ", Text(*now, "mode"), " ",
                                 Text(*now, "type"), " in this version"));
    }
    absl::Status status = CheckGrowth(here, Nested(column), Nested(*now));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckRecord(const std::string& where, const ListValue& columns, const Value& value);

absl::Status CheckValue(const std::string& where, const Struct& column, const Value& value) {
  const std::string type = Text(column, "type");
  const auto refuse = [&] { return BadRow(where, absl::StrCat("not of type ", type)); };
  const bool is_text = value.has_string_value();
  if (type == "RECORD") return CheckRecord(where, Nested(column), value);
  if (type == "STRING") return is_text ? absl::OkStatus() : refuse();
  if (type == "BOOLEAN") return value.has_bool_value() ? absl::OkStatus() : refuse();
  if (type == "FLOAT") {
    return value.has_number_value() && std::isfinite(value.number_value()) ? absl::OkStatus()
                                                                           : refuse();
  }
  if (type == "INTEGER") {
    // 64-bit integers are strings in protobuf's JSON, which the tables' loader takes.
    int64_t number = 0;
    const bool whole = value.has_number_value() &&
                       value.number_value() == std::trunc(value.number_value()) &&
                       std::abs(value.number_value()) <= 9'007'199'254'740'992.0;
    return whole || (is_text && absl::SimpleAtoi(value.string_value(), &number)) ? absl::OkStatus()
                                                                                 : refuse();
  }
  absl::Time time;
  std::string error;
  if (type == "TIMESTAMP") {
    return is_text && absl::ParseTime(absl::RFC3339_full, value.string_value(), &time, &error)
               ? absl::OkStatus()
               : refuse();
  }
  if (type == "DATE") {
    return is_text && absl::ParseTime("%Y-%m-%d", value.string_value(), &time, &error) &&
                   absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone()) == value.string_value()
               ? absl::OkStatus()
               : refuse();
  }
  return BadRow(where, absl::StrCat("its column has the unknown type ", type));
}

absl::Status CheckRecord(const std::string& where, const ListValue& columns, const Value& value) {
  if (!value.has_struct_value()) return BadRow(where.empty() ? "row" : where, "not an object");
  const auto& fields = value.struct_value().fields();
  const std::string prefix = where.empty() ? "" : where + ".";
  for (const auto& [name, field] : fields) {
    const Struct* column = FindColumn(columns, name);
    if (column == nullptr) return BadRow(prefix + name, "not a column of the schema");
    const bool repeated = Text(*column, "mode") == "REPEATED";
    if (repeated != field.has_list_value()) {
      return BadRow(prefix + name, repeated ? "must be a list" : "must not be a list");
    }
    if (!repeated) {
      if (absl::Status status = CheckValue(prefix + name, *column, field); !status.ok()) {
        return status;
      }
      continue;
    }
    for (const Value& element : field.list_value().values()) {
      absl::Status status = CheckValue(prefix + name, *column, element);
      if (!status.ok()) return status;
    }
  }
  for (const Value& column : columns.values()) {
    const std::string name = Text(column.struct_value(), "name");
    if (Text(column.struct_value(), "mode") != "REQUIRED") continue;
    const auto found = fields.find(name);
    if (found == fields.end() || found->second.string_value().empty()) {
      return BadRow(prefix + name, "required");
    }
  }
  return absl::OkStatus();
}

}  // namespace

RowSchema RowSchema::OfRows() {
  RowSchema schema;
  AddColumns(*delivery::v1::MlabRow::descriptor(), true, &schema.columns_);
  return schema;
}

absl::StatusOr<RowSchema> RowSchema::Parse(const std::string& json) {
  RowSchema schema;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &schema.columns_);
  if (!status.ok() || schema.columns_.values_size() == 0) {
    return absl::InvalidArgumentError("not a JSON array of columns");
  }
  if (absl::Status wrong = CheckColumns("", schema.columns_); !wrong.ok()) return wrong;
  return schema;
}

std::string RowSchema::ToJson() const {
  std::string json;
  // Cannot fail: there is nothing in it that JSON has no word for.
  if (!google::protobuf::util::MessageToJsonString(columns_, &json).ok()) json = "[]";
  return json;
}

absl::Status RowSchema::AllowsChangeTo(const RowSchema& newer) const {
  return CheckGrowth("", columns_, newer.columns_);
}

absl::Status RowSchema::Validate(const std::string& row) const {
  if (row.find_first_of("\r\n") != std::string::npos) return BadRow("row", "more than one line");
  Value value;
  if (!google::protobuf::util::JsonStringToMessage(row, &value).ok()) {
    return BadRow("row", "not valid JSON");
  }
  return CheckRecord("", columns_, value);
}

}  // namespace weir::control
