#include "control/cli/completion.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace weir::cli {
namespace {

// Values people choose from, by flag.
const std::map<std::string, std::string>& Values() {
  static const auto& values = *new std::map<std::string, std::string>{
      {"--direction", "down up both"},
      {"--rate", "max 100M 1G 10G 1Mpps 50%"},
      {"--duration", "5s 10s 30s 1m"},
      {"--payload", "18 1472 imix"},
      {"--ip", "4 6"},
      {"--frame", "64 1518 rfc2544"},
      {"--count", "100000 1M"},
      {"--interval", "500ms 1s 5s"},
      {"--tests", "throughput latency loss back-to-back throughput,latency"},
      {"--trial", "2s 10s 60s"},
      {"--resolution", "0.1% 1%"},
      {"--line-rate", "1G 10G 100G"},
      {"--pacing", "cbr poisson burst:16 ramp:0-1G"},
      {"--as", "public researcher: partner:"},
  };
  return values;
}

// Flags whose value is a file.
constexpr const char* kFileFlags[] = {"--ca",     "--admin", "--request", "--record",
                                      "--output", "--state", "--resume",  "--html"};

bool TakesFile(const std::string& flag) {
  return std::find(std::begin(kFileFlags), std::end(kFileFlags), flag) != std::end(kFileFlags);
}

struct Command {
  std::string path;  // "test", "records list"; empty for weir itself.
  std::string help;
  std::vector<std::pair<std::string, std::string>> words;  // Subcommands and flags, with help.
};

void Collect(const CLI::App& app, const std::string& path, std::vector<Command>* commands) {
  Command command{path, app.get_description(), {}};
  const auto children = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* child : children) {
    command.words.emplace_back(child->get_name(), child->get_description());
  }
  // Flags of the commands above are understood as well.
  for (const CLI::App* level = &app; level != nullptr; level = level->get_parent()) {
    for (const CLI::Option* option : level->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        const std::string flag = "--" + name;
        const bool known = std::any_of(command.words.begin(), command.words.end(),
                                       [&](const auto& word) { return word.first == flag; });
        if (!known) command.words.emplace_back(flag, option->get_description());
      }
    }
  }
  if (path == "completion") {
    for (const char* shell : {"bash", "zsh", "fish"}) command.words.emplace_back(shell, "");
  }
  commands->push_back(std::move(command));
  for (const CLI::App* child : children) {
    Collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), commands);
  }
}

std::string Words(const Command& command) {
  return absl::StrJoin(command.words, " ",
                       [](std::string* out, const auto& word) { out->append(word.first); });
}

// Single-quoted for a shell, on one line.
std::string Quote(const std::string& text) {
  std::string quoted = "'";
  for (char c : text.substr(0, text.find('\n'))) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string Bash(const std::vector<Command>& commands) {
  std::string script =
      "# bash completion for weir: source <(weir completion bash)\n"
      "_weir() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  local path='' words='' word\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case \"${path:+$path }$word\" in\n";
  std::vector<std::string> paths;
  for (const Command& command : commands) {
    if (!command.path.empty()) paths.push_back(Quote(command.path));
  }
  absl::StrAppend(&script, "      ", absl::StrJoin(paths, "|"),
                  ") path=\"${path:+$path }$word\" ;;\n    esac\n  done\n"
                  "  case $previous in\n");
  for (const auto& [flag, values] : Values()) {
    absl::StrAppend(&script, "    ", flag, ") words='", values, "' ;;\n");
  }
  absl::StrAppend(&script, "    ", absl::StrJoin(kFileFlags, "|"),
                  ")\n      COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
                  "    *)\n      case $path in\n");
  for (const Command& command : commands) {
    absl::StrAppend(&script, "        ", Quote(command.path), ") words='", Words(command),
                    "' ;;\n");
  }
  absl::StrAppend(
      &script,
      "      esac\n  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "  case $path in\n    'policy check'|'policy explain')\n"
      "      [ \"${#COMPREPLY[@]}\" -gt 0 ] || COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
      "  esac\n"
      "}\ncomplete -F _weir weir\n");
  return script;
}

std::string Fish(const std::vector<Command>& commands) {
  std::string script =
      "# fish completion for weir: weir completion fish | source\n"
      "complete -c weir -f\n";
  for (const Command& command : commands) {
    std::string condition = "__fish_use_subcommand";
    if (!command.path.empty()) {
      // Every word of the path has been typed.
      std::vector<std::string> seen;
      for (size_t begin = 0; begin < command.path.size();) {
        const size_t end = std::min(command.path.find(' ', begin), command.path.size());
        seen.push_back("__fish_seen_subcommand_from " + command.path.substr(begin, end - begin));
        begin = end + 1;
      }
      condition = absl::StrJoin(seen, "; and ");
    }
    for (const auto& [word, help] : command.words) {
      const bool flag = word.rfind("--", 0) == 0;
      absl::StrAppend(&script, "complete -c weir -n ", Quote(condition),
                      flag ? " -l " + word.substr(2) : " -a " + word, " -d ", Quote(help));
      const auto values = Values().find(word);
      if (values != Values().end()) {
        absl::StrAppend(&script, " -x -a ", Quote(values->second));
      } else if (TakesFile(word)) {
        absl::StrAppend(&script, " -r -F");
      }
      absl::StrAppend(&script, "\n");
    }
  }
  return script;
}

}  // namespace

std::string CompletionScript(const CLI::App& app, const std::string& shell) {
  std::vector<Command> commands;
  Collect(app, "", &commands);
  if (shell == "fish") return Fish(commands);
  if (shell == "zsh") {
    // zsh runs bash's completion functions.
    return "#compdef weir\n# zsh completion for weir: source <(weir completion zsh)\n"
           "autoload -U +X bashcompinit && bashcompinit\n" +
           Bash(commands);
  }
  return Bash(commands);
}

}  // namespace weir::cli
