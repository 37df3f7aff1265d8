#include "control/api/outbox.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::control {
namespace {

struct Stream {
  std::vector<int> written;
  int finished = 0;
  Outbox<int> outbox{{.write = [this](const int* message) { written.push_back(*message); },
                      .finish = [this] { ++finished; }}};
};

TEST(Outbox, WritesOneMessageAtATime) {
  Stream stream;
  stream.outbox.Send(1);
  stream.outbox.Send(2);
  EXPECT_EQ(stream.written, std::vector<int>{1});
  stream.outbox.OnWritten(true);
  EXPECT_EQ(stream.written, (std::vector<int>{1, 2}));
}

TEST(Outbox, FinishesOnceWhenAllIsWritten) {
  Stream stream;
  stream.outbox.Send(1);
  stream.outbox.Close();
  stream.outbox.Close();
  stream.outbox.Send(2);  // Too late.
  EXPECT_EQ(stream.finished, 0);
  stream.outbox.OnWritten(true);
  EXPECT_EQ(stream.finished, 1);
  EXPECT_EQ(stream.written, std::vector<int>{1});
}

TEST(Outbox, FinishesABrokenStreamWithoutTheRest) {
  Stream stream;
  stream.outbox.Send(1);
  stream.outbox.Send(2);
  stream.outbox.Close();
  stream.outbox.OnWritten(false);
  EXPECT_EQ(stream.finished, 1);
  EXPECT_EQ(stream.written, std::vector<int>{1});
}

TEST(Outbox, TouchesNothingAfterDetach) {
  Stream stream;
  stream.outbox.Detach();
  stream.outbox.Send(1);
  stream.outbox.Close();
  stream.outbox.IfAttached([] { FAIL(); });
  EXPECT_TRUE(stream.written.empty());
  EXPECT_EQ(stream.finished, 0);
}

}  // namespace
}  // namespace weir::control
