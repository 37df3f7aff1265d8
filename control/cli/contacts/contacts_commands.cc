#include "control/cli/contacts/contacts_commands.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <iostream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/contacts/sealed_box.h"
#include "control/cli/query.h"

namespace weir::cli {
namespace {

namespace ms = measurement::v1;

std::string RenderContacts(const ms::ListContactsReply& reply, const Terminal& terminal) {
  if (reply.contacts().empty()) return "no contact details\n";
  std::string text =
      terminal.Paint(Style::kBold, absl::StrFormat("%-36s  %-16s %6s  %-10s  %s", "SESSION",
                                                   "EXPERIMENT", "SEALED", "STORED", "DELETED")) +
      "\n";
  for (const ms::SealedContact& one : reply.contacts()) {
    absl::StrAppend(
        &text, absl::StrFormat("%-36s  %-16s %6u  %-10s  %s\n", one.session_id(), one.experiment(),
                               one.sealed_bytes(), one.stored_at().substr(0, 10),
                               one.delete_due().substr(0, 10)));
  }
  return text;
}

// What strangers wrote must not steer the terminal.
std::string Printable(const std::string& text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      shown += "\n    ";
    } else {
      shown += byte < 0x20 || byte == 0x7f ? '?' : c;
    }
  }
  return shown;
}

std::string Quoted(const std::string& text) {
  google::protobuf::Value value;
  value.set_string_value(text);
  return ToJson(value);
}

ExitCode Usage(const Context& context, const std::string& message) {
  return Report(context, {ExitCode::kUsage, message});
}

// What `weir contacts export` printed.
absl::StatusOr<ms::ListContactsReply> ReadExport(const std::string& path) {
  std::ifstream file;
  if (!path.empty()) file.open(path, std::ios::binary);
  std::istream& in = path.empty() ? std::cin : file;
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::string name = path.empty() ? "standard input" : path;
  if (!path.empty() && !file.is_open()) {
    return absl::NotFoundError(absl::StrCat("cannot read ", name));
  }
  ms::ListContactsReply reply;
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, &reply);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": not what `weir contacts export` prints"));
  }
  return reply;
}

ms::ListContactsRequest Ask(const ContactsOptions& options, bool with_sealed) {
  ms::ListContactsRequest request;
  request.set_experiment(options.experiment);
  request.set_with_sealed(with_sealed);
  return request;
}

}  // namespace

ExitCode ListContacts(const Context& context, const ContactsOptions& options) {
  return Query(context, "cannot list contact details", &AdminStub::ListContacts,
               Ask(options, /*with_sealed=*/false), [&](const ms::ListContactsReply& reply) {
                 return context.json ? JsonLine(reply) : RenderContacts(reply, context.terminal);
               });
}

ExitCode ExportContacts(const Context& context, const ContactsOptions& options) {
  return Query(context, "cannot export contact details", &AdminStub::ListContacts,
               Ask(options, /*with_sealed=*/true),
               [&](const ms::ListContactsReply& reply) { return JsonLine(reply); });
}

ExitCode MakeContactKey(const Context& context, const ContactsOptions& options) {
  const ContactKey key = ContactKey::Generate();
  if (absl::Status saved = key.Save(options.key); !saved.ok()) {
    return Usage(context, absl::StrCat("--out: ", std::string(saved.message())));
  }
  if (context.json) {
    context.out << "{\"public_key\":\"" << key.PublicText() << "\",\"digest\":\""
                << KeyDigest(key.public_key) << "\"}" << std::endl;
  } else {
    context.out << "public_key: \"" << key.PublicText() << "\"  # for the policy's contact\n"
                << "digest      " << KeyDigest(key.public_key) << "\n"
                << "Keep " << options.key
                << " to yourself and have a copy: without it nothing can be opened.\n";
  }
  return ExitCode::kOk;
}

ExitCode OpenContacts(const Context& context, const ContactsOptions& options) {
  const auto key = ContactKey::Load(options.key);
  if (!key.ok())
    return Usage(context, absl::StrCat("--key: ", std::string(key.status().message())));
  const auto exported = ReadExport(options.file);
  if (!exported.ok()) return Usage(context, std::string(exported.status().message()));
  std::string objects, lines;
  int opened = 0, closed = 0;
  for (const ms::SealedContact& one : exported->contacts()) {
    const auto text = Unseal(one.sealed(), *key);
    if (!text) {
      ++closed;
      continue;
    }
    absl::StrAppend(
        &objects, opened++ == 0 ? "" : ",", "{\"session_id\":", Quoted(one.session_id()),
        ",\"experiment\":", Quoted(one.experiment()), ",\"contact\":", Quoted(*text), "}");
    absl::StrAppend(&lines, one.session_id(), "  ", one.experiment(), "\n    ", Printable(*text),
                    "\n");
  }
  if (context.json) {
    context.out << "{\"contacts\":[" << objects << "],\"not_opened\":" << closed << "}"
                << std::endl;
  } else {
    context.out << lines << std::flush;
    if (closed != 0) {
      context.err << closed << " are sealed to another key, or exported without what is sealed\n";
    }
  }
  return opened == 0 && closed != 0 ? ExitCode::kRefused : ExitCode::kOk;
}

}  // namespace weir::cli
