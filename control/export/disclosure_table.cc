#include "control/export/disclosure_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/admission/digest.h"
#include "control/admission/disclosure_names.h"
#include "control/export/disclosure.h"

namespace weir::control {

delivery::v1::Disclosure DescribeDisclosure(const Policy& policy, const std::string& node) {
  constexpr std::pair<record::v1::ReleaseClass, const char*> kClasses[] = {
      {record::v1::PUBLIC, "public"}, {record::v1::OPERATOR_ONLY, "operator_only"}};
  delivery::v1::Disclosure table;
  table.set_node(node);
  table.set_policy_digest(policy.digest());
  std::string text = absl::StrCat("weir-disclosure-1\n", policy.digest(), "\n");
  for (size_t role = 0; role < kRoleNames.size(); ++role) {
    for (size_t state = 0; state < kStateNames.size(); ++state) {
      for (const auto& [release_class, class_name] : kClasses) {
        const Fields fields =
            Disclose(policy, static_cast<Role>(role),
                     static_cast<record::v1::ReleaseState>(state + 1), release_class);
        if (fields.Empty()) continue;
        delivery::v1::Readable* readable = table.add_readable();
        readable->set_role(kRoleNames[role]);
        readable->set_state(kStateNames[state]);
        readable->set_release_class(class_name);
        for (size_t field = 0; field < kFieldNames.size(); ++field) {
          if (fields.Has(static_cast<Field>(field))) readable->add_field(kFieldNames[field]);
        }
        absl::StrAppend(&text, kRoleNames[role], " ", kStateNames[state], " ", class_name, " ",
                        absl::StrJoin(readable->field(), " "), "\n");
      }
    }
  }
  table.set_digest(Sha256Digest(text));
  return table;
}

}  // namespace weir::control
