#include "control/session/session_table.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

std::shared_ptr<Session> NewSession() {
  return std::make_shared<Session>(Uuid::Generate(1), SessionRole::kServer, 1);
}

class NoLink final : public PeerLink {
 public:
  void Send(PeerMessage) override {}
  void Next() override {}
  void Close() override {}
};

TEST(SessionTable, FindsActiveAndRecentSessions) {
  SessionTable table;
  const auto session = NewSession();
  EXPECT_TRUE(table.Register(session));
  EXPECT_FALSE(table.Register(session));
  EXPECT_EQ(table.Find(session->id().Bytes()), session);
  EXPECT_EQ(table.Active().size(), 1u);
  table.Retire(session);
  table.Retire(session);
  EXPECT_EQ(table.Find(session->id().Bytes()), nullptr);
  EXPECT_EQ(table.FindRecent(session->id()), session);
  EXPECT_TRUE(table.Active().empty());
}

TEST(SessionTable, RemembersABoundedNumber) {
  SessionTable table;
  const auto first = NewSession();
  table.Register(first);
  table.Retire(first);
  for (int i = 0; i < 256; ++i) {
    const auto session = NewSession();
    table.Register(session);
    table.Retire(session);
  }
  EXPECT_EQ(table.FindRecent(first->id()), nullptr);
}

TEST(Session, TakesOneRunAndNoneAfterItsEnd) {
  const auto session = NewSession();
  EXPECT_TRUE(session->Attach(std::make_shared<NoLink>()));
  EXPECT_FALSE(session->Attach(std::make_shared<NoLink>()));
  const auto ended = NewSession();
  ended->SetEnd(SessionState::kAborted, {});
  EXPECT_FALSE(ended->Attach(std::make_shared<NoLink>()));
}

}  // namespace
}  // namespace weir::control
