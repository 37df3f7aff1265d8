// A peer for tests of the controller: speaks the command protocol over a real SEQPACKET socket
// with a real sealed memfd, moves no packets, and misbehaves when told to.
#ifndef WEIR_TESTS_IPC_FAKE_DATAPLANE_H_
#define WEIR_TESTS_IPC_FAKE_DATAPLANE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/v1/dataplane.pb.h"
#include "ipc/seqpacket.h"
#include "shm/segment.h"

namespace weir::test {

// Thread-safe. Listens from construction to destruction.
class FakeDataplane {
 public:
  struct Options {
    uint32_t slots = 64;
    uint32_t workers = 2;
    uint32_t histograms = 4;
    uint32_t layout_version = shm::kLayoutVersion;
    uint32_t protocol_version = ipc::kProtocolVersion;
    bool sealed = true;
    bool truncated = false;  // The file ends before the arrays the header promises.
    bool with_segment = true;
    bool answers = true;  // False: reads and says nothing.
  };

  FakeDataplane(std::string path, Options options);
  explicit FakeDataplane(std::string path) : FakeDataplane(std::move(path), Options()) {}
  ~FakeDataplane();

  // Answers instead of the default where it returns a response; request_id is filled in.
  using Override =
      std::function<std::optional<dataplane::v1::Response>(const dataplane::v1::Request&)>;
  void SetOverride(Override override);

  void SendRaw(const std::string& bytes);  // To the present controller.
  void CloseConnection();
  void StopAnswering() { answers_ = false; }

  // A flow reached a state: its status cell and an event say so. Without `event`, only the cell.
  void SetFlow(uint32_t slot, dataplane::v1::FlowState state, dataplane::v1::EndReason reason,
               bool event = true);
  // A flow an earlier controller left.
  void AddFlow(const dataplane::v1::FlowInfo& flow);

  shm::SegmentWriter segment() { return shm::SegmentWriter(base_); }
  std::vector<dataplane::v1::FlowInfo> flows();
  std::optional<dataplane::v1::FlowSpec> spec(uint32_t slot);
  uint64_t renewals() const { return renewals_; }
  uint64_t hellos() const { return hellos_; }

 private:
  void ThreadMain();
  void Handle(const dataplane::v1::Request& request);
  dataplane::v1::Response Answer(const dataplane::v1::Request& request);
  void MakeSegment();
  void PublishLocked(const dataplane::v1::FlowInfo& flow);

  const std::string path_;
  const Options options_;
  ipc::UniqueFd listener_;
  ipc::UniqueFd memfd_;
  uint8_t* base_ = nullptr;
  size_t mapped_bytes_ = 0;

  std::mutex mutex_;  // Guards the next four.
  ipc::UniqueFd connection_;
  Override override_;
  std::map<uint32_t, dataplane::v1::FlowInfo> flows_;
  std::map<uint32_t, dataplane::v1::FlowSpec> specs_;

  std::atomic<bool> answers_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> renewals_{0};
  std::atomic<uint64_t> hellos_{0};
  std::thread thread_;
};

// Polls until `condition` holds; false after five seconds.
bool Eventually(const std::function<bool()>& condition);

// A directory of the test's own, removed with it.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace weir::test

#endif  // WEIR_TESTS_IPC_FAKE_DATAPLANE_H_
