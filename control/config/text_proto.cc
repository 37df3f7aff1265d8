#include "control/config/text_proto.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <regex>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace weir::control {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

std::string FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return absl::StrJoin(names, ", ");
}

std::string ValueNames(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    // The zero value means "not set"; nobody writes it.
    if (type.value(i)->number() != 0) names.push_back(type.value(i)->name());
  }
  return absl::StrJoin(names, ", ");
}

const FieldDescriptor* FindField(const Descriptor& type, const std::string& name) {
  if (const FieldDescriptor* field = type.FindFieldByName(name)) return field;
  for (int i = 0; i < type.field_count(); ++i) {
    if (const Descriptor* nested = type.field(i)->message_type()) {
      if (const FieldDescriptor* field = FindField(*nested, name)) return field;
    }
  }
  return nullptr;
}

// The parser's errors say what is wrong; these add what would be right.
std::string Allowed(const std::string& message, const Descriptor& root) {
  static const std::regex kNoField(R"re(Message type "([^"]+)" has no field named "([^"]+)")re");
  static const std::regex kNoValue(
      R"re(Unknown enumeration value of "[^"]*" for field "([^"]+)")re");
  std::smatch match;
  if (std::regex_search(message, match, kNoField)) {
    if (const Descriptor* type = root.file()->pool()->FindMessageTypeByName(match[1])) {
      return absl::StrCat("; allowed: ", FieldNames(*type));
    }
  }
  if (std::regex_search(message, match, kNoValue)) {
    const FieldDescriptor* field = FindField(root, match[1]);
    if (field != nullptr && field->enum_type() != nullptr) {
      return absl::StrCat("; allowed: ", ValueNames(*field->enum_type()));
    }
  }
  return "";
}

// The parser points behind the name of an unknown field; a person looks for the name itself.
int NameColumn(const std::string& text, int line, int column, const std::string& message) {
  static const std::regex kNamed(R"re(no field named "([^"]+)")re");
  std::smatch match;
  if (!std::regex_search(message, match, kNamed)) return column;
  size_t begin = 0;
  for (int i = 0; i < line; ++i) begin = text.find('\n', begin) + 1;
  const std::string_view row = std::string_view(text).substr(begin, text.find('\n', begin) - begin);
  const size_t at = row.rfind(match[1].str(), static_cast<size_t>(column));
  return at == std::string_view::npos ? column : static_cast<int>(at);
}

class Collector : public google::protobuf::io::ErrorCollector {
 public:
  Collector(const std::string& path, const std::string& text, const Descriptor& root)
      : path_(path), text_(text), root_(root) {}

  void AddError(int line, int column, const std::string& text) override {
    if (!first_.empty()) return;  // What follows the first error is mostly its echo.
    const std::string message = text.substr(0, text.find_last_not_of('.') + 1);
    if (line < 0) {
      first_ = absl::StrCat(path_, ": ", message);
      return;
    }
    first_ = absl::StrCat(path_, ":", line + 1, ":", NameColumn(text_, line, column, message) + 1,
                          ": ", message, Allowed(message, root_));
  }

  const std::string& first() const { return first_; }

 private:
  const std::string& path_;
  const std::string& text_;
  const Descriptor& root_;
  std::string first_;
};

// Offset of the first byte that is not part of well-formed UTF-8 (RFC 3629), or npos.
size_t FindInvalidUtf8(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    int more = byte < 0x80       ? 0
               : byte >> 5 == 6  ? 1
               : byte >> 4 == 14 ? 2
               : byte >> 3 == 30 ? 3
                                 : -1;
    if (more < 0 || byte == 0xC0 || byte == 0xC1 || byte > 0xF4) return i;
    for (int k = 1; k <= more; ++k) {
      if (i + k >= text.size() || (static_cast<unsigned char>(text[i + k]) >> 6) != 2) return i;
    }
    i += more + 1;
  }
  return std::string::npos;
}

// Name of the first string field that escapes made something else than UTF-8; empty if none.
std::string FindInvalidString(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        std::string found = FindInvalidString(field->is_repeated()
                                                  ? reflection.GetRepeatedMessage(message, field, i)
                                                  : reflection.GetMessage(message, field));
        if (!found.empty()) return found;
      } else if (field->type() == FieldDescriptor::TYPE_STRING) {
        const std::string value = field->is_repeated()
                                      ? reflection.GetRepeatedString(message, field, i)
                                      : reflection.GetString(message, field);
        if (FindInvalidUtf8(value) != std::string::npos) return field->name();
      }
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t max_bytes) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) {
    const std::string message = absl::StrCat(path, ": ", std::strerror(errno));
    return errno == EACCES ? absl::PermissionDeniedError(message) : absl::NotFoundError(message);
  }
  std::string text;
  std::array<char, 65536> block;
  while (const size_t read = std::fread(block.data(), 1, block.size(), file.get())) {
    text.append(block.data(), read);
    if (text.size() > max_bytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": larger than ", max_bytes >> 20, " MiB"));
    }
  }
  if (std::ferror(file.get())) {
    return absl::NotFoundError(absl::StrCat(path, ": ", std::strerror(errno)));
  }
  return text;
}

absl::Status ParseTextProto(const std::string& path, const std::string& text,
                            google::protobuf::Message* message,
                            google::protobuf::TextFormat::ParseInfoTree* locations) {
  if (size_t at = FindInvalidUtf8(text); at != std::string::npos) {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at; ++i) {
      column = text[i] == '\n' ? 1 : column + 1;
      line += text[i] == '\n';
    }
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", line, ":", column, ": not UTF-8 text"));
  }
  Collector errors(path, text, *message->GetDescriptor());
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(locations);
  if (!parser.ParseFromString(text, message)) {
    return absl::InvalidArgumentError(
        errors.first().empty() ? absl::StrCat(path, ": malformed text") : errors.first());
  }
  if (std::string field = FindInvalidString(*message); !field.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", field, ": not UTF-8 text"));
  }
  return absl::OkStatus();
}

}  // namespace weir::control
