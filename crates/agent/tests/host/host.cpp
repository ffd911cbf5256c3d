// A program that uses TT-Metal, one command a line from standard input, one answer a line. Its arguments are libraries that
// bring TT-Metal, of which it uses the first until a command names another.
#include <dlfcn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>
#include <vector>

static void* library;

template <typename Function>
static Function* find(const char* name) {
    auto function = reinterpret_cast<Function*>(dlsym(library, name));
    if (function == nullptr) {
        std::cout << dlerror() << std::endl;
        exit(1);
    }
    return function;
}
#define CALL(name, type, ...) find<type>(name)(__VA_ARGS__)

static void statistics() {
    uint64_t allocated[4];
    CALL("host_statistics", void(uint64_t*), allocated);
    for (uint64_t bytes : allocated) {
        std::cout << bytes << ' ';
    }
}

static void query(const std::string& what) {
    if (dlsym(RTLD_DEFAULT, "ttmem_memory_allocated") == nullptr) {
        std::cout << "no agent";
        return;
    }
    library = RTLD_DEFAULT;
    if (what == "l1") {
        std::cout << CALL("ttmem_max_l1_per_core", uint64_t(int32_t), -1) << ' '
                  << CALL("ttmem_max_l1_allocated", uint64_t(int32_t), -1) << ' ';
        return;
    }
    if (what == "reset") {
        CALL("ttmem_reset_peak", void(int32_t), -1);
    }
    for (int32_t kind = 0; kind < 4; ++kind) {
        std::cout << CALL("ttmem_memory_allocated", uint64_t(int32_t, int32_t), -1, kind) << ' '
                  << CALL("ttmem_max_memory_allocated", uint64_t(int32_t, int32_t), -1, kind) << ' ';
    }
}

// As setproctitle does: the environment moves, and what is shown of the process is overwritten.
static void overwrite_title(char** arguments) {
    char* begin = arguments[0];
    char* end = begin + strlen(begin);
    static std::vector<char*> moved;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        end = std::max(end, *variable + strlen(*variable));
        moved.push_back(strdup(*variable));
    }
    moved.push_back(nullptr);
    environ = moved.data();
    memset(begin, 0, end - begin);
    strcpy(begin, "worker");
    prctl(PR_SET_NAME, "w\xf6rk) \xff 1");
}

int main(int count, char** arguments) {
    const char* ops = arguments[count > 1 ? 1 : 0];
    std::vector<void*> libraries;
    for (int index = 1; index < count; ++index) {
        libraries.push_back(dlopen(arguments[index], RTLD_NOW | RTLD_LOCAL));
    }
    library = libraries.empty() ? nullptr : libraries[0];
    std::cout << getpid() << (library ? "" : dlerror()) << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string command, name, other;
        int a = 0, b = 0, c = 0;
        words >> command;
        if (command == "open") {
            words >> a >> b;
            CALL("host_open", void(int, int), a, b);
        } else if (command == "use") {
            words >> a;
            library = libraries.at(a);
        } else if (command == "unique_ids") {
            words >> a;
            std::cout << CALL("host_unique_ids", int(int), a);
        } else if (command == "overwrite_title") {
            overwrite_title(arguments);
        } else if (command == "open_interrupted") {
            CALL("host_open_interrupted", void());
        } else if (command == "fork_while_asked") {
            int pid;
            int status = CALL("host_fork_while_asked", int(int*), &pid);
            std::cout << status << ' ' << pid;
        } else if (command == "close") {
            CALL("host_close", void());
        } else if (command == "allocate") {
            words >> name >> a >> b >> c;
            std::cout << CALL("host_allocate", int(const char*, int, uint64_t, uint32_t), name.c_str(), a, b, c);
        } else if (command == "free") {
            words >> name;
            CALL("host_free", void(const char*), name.c_str());
        } else if (command == "free_all") {
            words >> name;
            CALL("host_mass_free", void(const char*), name.c_str());
        } else if (command == "sub_devices") {
            words >> a;
            CALL("host_sub_devices", void(int), a);
        } else if (command == "kernels" || command == "trace" || command == "op") {
            words >> name;
            find<void(const char*)>(("host_" + command).c_str())(name.c_str());
        } else if (command == "context") {
            words >> name >> other;
            CALL("host_context", void(const char*, const char*), name.c_str(), other.c_str());
        } else if (command == "threads") {
            words >> a >> b;
            CALL("host_threads", void(int, int), a, b);
        } else if (command == "signals") {
            words >> a;
            CALL("host_signals", void(int), a);
        } else if (command == "program") {
            uint32_t corners[4], config = 0;
            words >> name >> corners[0] >> corners[1] >> corners[2] >> corners[3] >> config;
            std::vector<std::string> parts;
            while (words >> other) {
                parts.push_back(other);
            }
            std::vector<const char*> texts;
            for (const std::string& part : parts) {
                texts.push_back(part.c_str());
            }
            CALL("host_program", void(const char*, const uint32_t*, uint32_t, const char* const*, int), name.c_str(), corners, config, texts.data(), int(texts.size()));
        } else if (command == "dispatch") {
            words >> name;
            std::cout << CALL("host_dispatch", int(const char*), name.c_str());
        } else if (command == "announce") {
            words >> name;
            CALL("host_announce", void(const char*), name.c_str());
        } else if (command == "join") {
            words >> name >> other;
            CALL("host_join", void(const char*, const char*), name.c_str(), other.c_str());
        } else if (command == "retarget") {
            words >> name >> other;
            CALL("host_retarget", void(const char*, const char*), name.c_str(), other.c_str());
        } else if (command == "destroy") {
            words >> name;
            CALL("host_destroy", void(const char*), name.c_str());
        } else if (command == "dispatch_times") {
            words >> name >> a;
            std::cout << CALL("host_dispatch_times", double(const char*, int), name.c_str(), a);
        } else if (command == "dispatch_threads") {
            words >> a >> b;
            CALL("host_dispatch_threads", void(int, int), a, b);
        } else if (command == "tracing") {
            words >> name >> a;
            std::cout << CALL("host_trace_step", int(const char*, int), name.c_str(), a);
        } else if (command == "statistics") {
            statistics();
        } else if (command == "query") {
            void* kept = library;
            words >> name;
            query(name);
            library = kept;
        } else if (command == "times") {
            words >> a >> b >> c;
            double mean, p99;
            CALL("host_times", void(int, int, int, double*, double*), a, b, c, &mean, &p99);
            std::cout << mean << ' ' << p99;
        } else if (command == "reload") {
            dlclose(library);
            library = dlopen(ops, RTLD_NOW | RTLD_LOCAL);
        } else if (command == "fork") {
            // The child goes on with the commands; its parent waits.
            if (pid_t child = fork(); child != 0) {
                waitpid(child, nullptr, 0);
            } else {
                std::cout << getpid();
            }
        } else if (command == "exec") {
            execv("/proc/self/exe", arguments);
        } else if (command == "exit") {
            words >> a;
            exit(a);
        } else if (command == "_exit") {
            words >> a;
            _exit(a);
        } else if (command == "vfork") {
            // The child has the memory of its parent until it leaves.
            if (pid_t child = vfork(); child == 0) {
                _exit(5);
            } else {
                int status;
                waitpid(child, &status, 0);
                std::cout << WEXITSTATUS(status);
            }
        } else if (command == "pid") {
            std::cout << getpid();
        } else {
            std::cout << "what is " << command << '?';
        }
        std::cout << std::endl;
    }
    return 0;
}
