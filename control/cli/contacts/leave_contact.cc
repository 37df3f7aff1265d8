#include "control/cli/contacts/leave_contact.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "control/cli/contacts/sealed_box.h"

namespace weir::cli {

std::variant<std::string, Failure> ReadContact(const std::string& text, const std::string& file) {
  if (file.empty()) return text;
  if (!text.empty()) {
    return Failure{ExitCode::kUsage, "--contact, --contact-file: give one of them"};
  }
  std::ifstream stream(file, std::ios::binary);
  std::string read((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (!stream || read.empty()) {
    return Failure{ExitCode::kUsage, absl::StrCat("--contact-file: nothing to read in ", file)};
  }
  return read;
}

std::variant<std::string, Failure> SealContact(const std::string& text,
                                               const std::string& experiment,
                                               const measurement::v1::ServerInfo& server) {
  const auto& offers = server.contacts();
  const auto offer = std::find_if(offers.begin(), offers.end(),
                                  [&](const auto& one) { return one.experiment() == experiment; });
  if (offer == offers.end()) {
    return Failure{ExitCode::kRefused,
                   absl::StrCat("--contact: this server takes no contact details for experiment \"",
                                experiment, "\"; leave it out, or choose another --experiment")};
  }
  if (text.size() > offer->max_bytes()) {
    return Failure{ExitCode::kUsage, absl::StrCat("--contact: ", text.size(), " bytes; at most ",
                                                  offer->max_bytes())};
  }
  if (!absl::StrContains(server.notice(), KeyDigest(offer->public_key()))) {
    return Failure{ExitCode::kRefused,
                   "--contact: the server's notice does not name the key it wants them sealed to; "
                   "nothing was sent"};
  }
  std::optional<std::string> sealed = Seal(text, offer->public_key());
  if (!sealed) {
    return Failure{ExitCode::kRefused, "--contact: the server offers a key that is none"};
  }
  return *std::move(sealed);
}

}  // namespace weir::cli
