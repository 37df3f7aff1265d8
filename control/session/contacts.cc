#include "control/session/contacts.h"

#include <sodium.h>
#include <spdlog/spdlog.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "control/admission/built_in_rules.h"

namespace weir::control {
namespace {

constexpr size_t kLeastSealed = crypto_box_SEALBYTES + 1;

}  // namespace

std::optional<ContactFault> KeepContact(const Node& node, const Policy& policy,
                                        const measurement::v1::NegotiateRequest& request,
                                        const std::string& session_id) {
  const std::string& sealed = request.sealed_contact();
  if (sealed.empty()) return std::nullopt;
  const auto refuse = [](std::string why) {
    return ContactFault{.stage = "classify", .rule = kContactRule, .message = std::move(why)};
  };
  const std::optional<ContactTerms> terms = policy.Contact(request.experiment());
  if (!terms) {
    return refuse(absl::StrCat("experiment \"", request.experiment(),
                               "\" takes no contact details; leave them out"));
  }
  if (sealed.size() < kLeastSealed) {
    return refuse("not sealed to the experiment's key, or empty; leave it out to give none");
  }
  if (sealed.size() > terms->max_bytes + crypto_box_SEALBYTES) {
    return refuse(absl::StrCat(sealed.size() - crypto_box_SEALBYTES,
                               " bytes before sealing; at most ", terms->max_bytes));
  }
  const absl::Status kept = node.contacts->Keep({.session_id = session_id,
                                                 .experiment = request.experiment(),
                                                 .key_digest = terms->key_digest,
                                                 .sealed = sealed,
                                                 .keep_days = terms->keep_days});
  if (!kept.ok()) {
    spdlog::error("contact details: {}", std::string(kept.message()));
    return ContactFault{.stage = "store",
                        .rule = "store_write",
                        .message =
                            "the contact details could not be kept; leave them out, try "
                            "later, or tell the operator"};
  }
  node.store->Audit({.event = "contact_kept",
                     .detail = absl::StrCat("sealed to ", terms->key_digest),
                     .session_id = session_id,
                     .rule = terms->rule});
  return std::nullopt;
}

absl::Status EraseContact(const std::string& id, ContactStore* contacts, Store* store) {
  std::string session_id = id;
  for (const char* direction : {"-down", "-up"}) {
    if (absl::EndsWith(session_id, direction)) {
      session_id.resize(session_id.size() - std::string_view(direction).size());
    }
  }
  const absl::StatusOr<bool> erased = contacts->Erase(session_id);
  if (!erased.ok()) return erased.status();
  if (!*erased) return absl::OkStatus();
  return store->AuditNow({.event = "contact_erased", .session_id = session_id});
}

}  // namespace weir::control
