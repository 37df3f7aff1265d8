#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "ipc/seqpacket.h"

namespace weir::ipc {
namespace {

class SeqpacketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/weir-ipc-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    directory_ = pattern;
    path_ = directory_ + "/s";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  std::string path_;
  std::string error_;
};

TEST_F(SeqpacketTest, KeepsMessageBoundariesAndPassesDescriptors) {
  const UniqueFd listener = Listen(path_, &error_);
  ASSERT_TRUE(listener) << error_;
  const UniqueFd client = Connect(path_, &error_);
  const UniqueFd server = Accept(listener.get());
  ASSERT_TRUE(client && server);

  const UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(Send(client.get(), "one"));
  ASSERT_TRUE(Send(client.get(), "three", file.get()));
  std::string bytes;
  UniqueFd passed;
  EXPECT_EQ(Recv(server.get(), &bytes, &passed), RecvResult::kMessage);
  EXPECT_EQ(bytes, "one");
  EXPECT_FALSE(passed);
  EXPECT_EQ(Recv(server.get(), &bytes, &passed), RecvResult::kMessage);
  EXPECT_EQ(bytes, "three");
  ASSERT_TRUE(passed);
  struct stat a, b;
  ASSERT_EQ(fstat(file.get(), &a), 0);
  ASSERT_EQ(fstat(passed.get(), &b), 0);
  EXPECT_EQ(a.st_rdev, b.st_rdev);
  EXPECT_EQ(Recv(server.get(), &bytes), RecvResult::kWouldBlock);
}

TEST_F(SeqpacketTest, TellsWhoThePeerIsAndThatItHasGone) {
  const UniqueFd listener = Listen(path_, &error_);
  UniqueFd client = Connect(path_, &error_);
  const UniqueFd server = Accept(listener.get());
  PeerCredentials peer;
  ASSERT_TRUE(GetPeerCredentials(server.get(), &peer));
  EXPECT_EQ(peer.pid, getpid());
  EXPECT_EQ(peer.uid, geteuid());
  client.reset();
  std::string bytes;
  EXPECT_EQ(Recv(server.get(), &bytes), RecvResult::kClosed);
}

TEST_F(SeqpacketTest, RefusesToSendWhatDoesNotFit) {
  const UniqueFd listener = Listen(path_, &error_);
  const UniqueFd client = Connect(path_, &error_);
  EXPECT_FALSE(Send(client.get(), std::string(kMaxMessageBytes + 1, 'x')));
  EXPECT_EQ(errno, EMSGSIZE);
}

TEST_F(SeqpacketTest, ReplacesADeadSocketButNotALiveOneNorAFile) {
  { const UniqueFd dead = Listen(path_, &error_); }
  UniqueFd live = Listen(path_, &error_);
  ASSERT_TRUE(live) << error_;
  EXPECT_FALSE(Listen(path_, &error_));
  EXPECT_NE(error_.find("in use"), std::string::npos) << error_;

  const std::string file = directory_ + "/file";
  close(open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_FALSE(Listen(file, &error_));
  EXPECT_NE(error_.find("not a socket"), std::string::npos) << error_;
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(SeqpacketTest, NamesAPathThatIsTooLong) {
  EXPECT_FALSE(Listen(std::string(200, 'x'), &error_));
  EXPECT_NE(error_.find("107"), std::string::npos) << error_;
}

TEST_F(SeqpacketTest, OnlyOwnerAndGroupMayConnect) {
  const UniqueFd listener = Listen(path_, &error_);
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
}

}  // namespace
}  // namespace weir::ipc
