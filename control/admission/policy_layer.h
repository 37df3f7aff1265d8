// One policy file, checked and compiled. proto/policy/v1/policy.proto, proto/README.md section 8.
#ifndef WEIR_CONTROL_ADMISSION_POLICY_LAYER_H_
#define WEIR_CONTROL_ADMISSION_POLICY_LAYER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/admission/asn_table.h"
#include "control/admission/ip_address.h"
#include "control/admission/prefix_trie.h"
#include "control/admission/roles.h"
#include "policy/v1/policy.pb.h"

namespace weir::control {

// Who asks over this node's own admin socket (bench runs).
inline constexpr char kOperatorIdentity[] = "operator";

// What admission rules are matched against.
struct AdmissionSubject {
  IpAddress client;
  std::string identity;  // "anonymous", "certificate:<CN>" or kOperatorIdentity.
  std::string experiment;
  std::string purpose;
  std::vector<std::string> directions;  // "down", "up".
};

// What one policy file makes of a subject's identity and address.
struct Identified {
  const Origin* origin = nullptr;  // Of the address; null: not known.
  std::vector<std::string> roles = {};
};

// Immutable, so any number of threads may read it.
class PolicyLayer {
 public:
  // InvalidArgument lists every fault found, one a line, each naming file and rule.
  static absl::StatusOr<std::shared_ptr<const PolicyLayer>> Parse(const std::string& path,
                                                                  const std::string& text);
  // Reads and parses; a missing file is NotFound.
  static absl::StatusOr<std::shared_ptr<const PolicyLayer>> Load(const std::string& path);

  const std::string& path() const { return path_; }
  const std::string& profile() const { return proto_.profile(); }
  // "sha256:<hex>" of the file's bytes; with an asn_table, of the digests of all.
  const std::string& digest() const { return digest_; }
  const policy::v1::Policy& proto() const { return proto_; }

  // Rules that can never decide, because others always do or nothing comes to them: an explanation
  // each.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // Rules without the sentence they serve: likewise.
  const std::vector<std::string>& unserved() const { return unserved_; }

  Identified Identify(const std::string& identity, const IpAddress& client) const;

  // The first admission rule that matches, or null. An ALLOW with directions must cover every
  // requested one, a DENY matches if it names any of them. Costs the rules whose prefixes contain
  // the client and those without a prefix, however many others there are.
  const policy::v1::AdmissionRule* MatchAdmission(const AdmissionSubject& subject) const;
  // What keeps a rule of this layer from matching ("match.client"), or null if it matches.
  const char* Mismatch(const policy::v1::AdmissionRule& rule,
                       const AdmissionSubject& subject) const;

  // The class of the rule, and those above it up to the root.
  std::vector<const policy::v1::Class*> ClassesOf(const policy::v1::AdmissionRule& rule) const;

  // Likewise for export.
  const policy::v1::ExportRule* MatchExport(std::string_view experiment,
                                            std::string_view admission_rule) const;

 private:
  PolicyLayer() = default;
  absl::Status LoadAsnTable();
  void IndexClients();
  const policy::v1::Class* FindClass(const std::string& name) const;

  std::string path_;
  policy::v1::Policy proto_;
  std::string digest_;
  std::vector<std::string> warnings_;
  std::vector<std::string> unserved_;
  AsnTable asn_table_;
  std::optional<Roles> roles_;        // Of proto_.
  PrefixTrie clients_;                // Values are indexes of admission rules.
  std::vector<uint32_t> any_client_;  // Indexes of those without match.client, rising.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_POLICY_LAYER_H_
