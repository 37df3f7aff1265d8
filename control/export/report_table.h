// Records grouped by one thing, and what may be told of each group.
#ifndef WEIR_CONTROL_EXPORT_REPORT_TABLE_H_
#define WEIR_CONTROL_EXPORT_REPORT_TABLE_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "measurement/v1/report.pb.h"
#include "record/v1/record.pb.h"

namespace weir::control {

// What a report takes from one record; what the record does not have is nullopt.
struct ReportSample {
  explicit ReportSample(const record::v1::Record& record);

  record::v1::Direction direction;
  bool reached_load;
  enum Quantity { kRate, kLoss, kDelay, kVariation, kQuantities };
  std::array<std::optional<double>, kQuantities> values;
};

// Clients are told apart by number. All that have no address are one: 0.
class ReportTableBuilder {
 public:
  // An empty name: the record does not have what this table groups by.
  void Add(const std::string& name, uint32_t client, const ReportSample& sample);

  // Groups in the order a report has them. `by_name`: by name, not by size.
  void Finish(uint32_t min_clients, bool by_name, measurement::v1::ReportTable* table) &&;

 private:
  struct Value {
    double value;
    uint32_t client;
  };
  struct Group {
    uint64_t records = 0;
    uint64_t reached_load = 0;
    std::vector<uint32_t> clients;  // Of each record.
    std::array<std::vector<Value>, ReportSample::kQuantities> values;

    void Absorb(Group&& other);
    void Fill(uint32_t min_clients, measurement::v1::ReportGroup* out);
  };
  using Key = std::pair<std::string, record::v1::Direction>;

  static measurement::v1::Distribution Describe(std::vector<Value>* values, uint64_t records,
                                                uint32_t min_clients);
  std::vector<Key> Order(bool by_name) const;

  std::map<Key, Group> groups_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_REPORT_TABLE_H_
