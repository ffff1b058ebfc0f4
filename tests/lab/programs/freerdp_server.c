// A real RDP server, FreeRDP 3's server library, that ends its sessions in a chosen way. Anybody is
// let in.
//
//   freerdp_server PORT CERT.pem KEY.pem plain
//   freerdp_server PORT CERT.pem KEY.pem redirect ADDRESS TOKEN MS   a Server Redirection PDU
//   freerdp_server PORT CERT.pem KEY.pem errorinfo CODE MS           Set Error Info, ultimatum, close
//   freerdp_server PORT CERT.pem KEY.pem replace MS                  the same to the older of one user's sessions
//   freerdp_server PORT CERT.pem KEY.pem crash MS                    dies in the middle of a TLS record
//   freerdp_server PORT CERT.pem KEY.pem crash-rst MS                the same, and the kernel resets
//   freerdp_server PORT CERT.pem KEY.pem clear                       plain, and nothing is encrypted
//   freerdp_server PORT CERT.pem KEY.pem clear-errorinfo CODE MS     errorinfo, and nothing is encrypted
//   freerdp_server PORT CERT.pem KEY.pem clear-license CODE MS       refuses the client a licence, close
//   freerdp_server PORT CERT.pem KEY.pem clear-license-ultimatum CODE MS  the same, with an ultimatum
//
// Security is TLS, and in the clear modes standard RDP security of encryption level none. MS are
// milliseconds after the client's activation, of `replace` after that of the newer session, and of a
// licence after the client's turn. ADDRESS or TOKEN may be `-`: it is left out of the redirection
// then. Prints `ready` when it listens and `acted` when it does what the mode says.
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <freerdp/crypto/certificate.h>
#include <freerdp/crypto/privatekey.h>
#include <freerdp/error.h>
#include <freerdp/freerdp.h>
#include <freerdp/peer.h>
#include <freerdp/redirection.h>
#include <winpr/synch.h>
#include <winpr/wlog.h>

#include "freerdp_pdus.h"
#include "freerdp_seats.h"

enum mode { PLAIN, REDIRECT, ERRORINFO, REPLACE, CRASH, CRASH_RST, LICENSE, LICENSE_ULTIMATUM };

static struct {
    const char *certificate, *key;
    enum mode mode;
    BOOL clear; // standard RDP security without encryption
    const char *address, *token; // null when they are left out
    unsigned long code;
    int64_t after; // milliseconds
} order;

// A client's process has one session only, so that what belongs to it can be global.
static int64_t activated = -1; // milliseconds of the monotonic clock
static int connection;         // the library takes it out of the peer

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000) + time.tv_nsec / 1000000;
}

static void say(const char *word) {
    puts(word);
    fflush(stdout); // what comes next may be the death of this process
}

static BOOL post_connect(freerdp_peer *peer) {
    (void)peer;
    return TRUE;
}

static BOOL activate(freerdp_peer *peer) {
    if (activated >= 0) return TRUE; // a change of the desktop's size activates again
    activated = now();
    const char *user = freerdp_settings_get_string(peer->context->settings, FreeRDP_Username);
    take_seat(user ? user : "", activated);
    return TRUE;
}

// A rectangle of this size in 32 bits a pixel nearly fills a fast-path PDU (16383 bytes).
enum { TILE_WIDTH = 64, TILE_HEIGHT = 60 };

// A rectangle, at most a tile, of uncompressed noise: one PDU, and so one TLS record.
static BOOL paint(freerdp_peer *peer, UINT32 left, UINT32 top, UINT32 width, UINT32 height) {
    static BYTE pixels[TILE_WIDTH * TILE_HEIGHT * 4];
    static UINT32 noise = 1;
    rdpContext *context = peer->context;
    UINT32 depth = freerdp_settings_get_uint32(context->settings, FreeRDP_ColorDepth);
    UINT32 length = width * height * ((depth + 7) / 8);
    for (UINT32 i = 0; i < length; i++) pixels[i] = (BYTE)((noise = noise * 1664525 + 1013904223) >> 24);
    BITMAP_DATA rectangle = {
        .destLeft = left, .destTop = top, .destRight = left + width - 1, .destBottom = top + height - 1,
        .width = width, .height = height, .bitsPerPixel = depth,
        .bitmapDataStream = pixels, .bitmapLength = length,
    };
    BITMAP_UPDATE update = { .number = 1, .rectangles = &rectangle, .skipCompression = TRUE };
    return context->update->BitmapUpdate(context, &update);
}

// The load balancer's second half: a client that was sent here is let alone. It carries the token
// in its X.224 Connection Request, or it came to the address it was given.
static BOOL was_redirected(freerdp_peer *peer) {
    DWORD length = 0;
    if (order.token && freerdp_nego_get_routing_token(peer->context, &length) && length > 0) return TRUE;
    if (!order.address) return FALSE;
    struct sockaddr_in6 here = { 0 };
    socklen_t size = sizeof here;
    char text[INET6_ADDRSTRLEN] = "";
    getsockname(connection, (struct sockaddr *)&here, &size);
    if (IN6_IS_ADDR_V4MAPPED(&here.sin6_addr))
        inet_ntop(AF_INET, &here.sin6_addr.s6_addr[12], text, sizeof text);
    else
        inet_ntop(AF_INET6, &here.sin6_addr, text, sizeof text);
    return strcmp(text, order.address) == 0;
}

// Tells the client to go elsewhere; to leave is its own part.
static BOOL redirect(freerdp_peer *peer) {
    rdpRedirection *redirection = redirection_new();
    UINT32 flags = 0;
    BOOL done = redirection != NULL;
    if (done && order.address) {
        flags |= LB_TARGET_NET_ADDRESS;
        done = redirection_set_string_option(redirection, LB_TARGET_NET_ADDRESS, order.address);
    }
    if (done && order.token) {
        flags |= LB_LOAD_BALANCE_INFO;
        // The library writes `Cookie: msts=` in front of it and the end of the line behind it.
        done = redirection_set_byte_option(redirection, LB_LOAD_BALANCE_INFO,
                                           (const BYTE *)order.token, strlen(order.token));
    }
    done = done && redirection_set_flags(redirection, flags) &&
           peer->SendServerRedirection(peer, redirection);
    redirection_free(redirection);
    return done;
}

// What a Windows server does when one of its time limits is over, its administrator ends the session
// or another connection takes it ([MS-RDPBCGR] 1.3.1.4.3): the reason, then the ultimatum. freerdp_peer's
// Close would put a Deactivate All PDU in front, which belongs to the session that its own user ends.
static BOOL give_reason_and_leave(freerdp_peer *peer, unsigned long code) {
    freerdp_set_error_info(peer->context->rdp, (UINT32)code);
    if (!freerdp_send_error_info(peer->context->rdp) || !send_ultimatum(peer)) return FALSE;
    peer->Disconnect(peer); // TLS close_notify and FIN
    return TRUE;
}

// The library would go on as soon as this returned.
static void refuse_license(freerdp_peer *peer) {
    struct timespec pause = { order.after / 1000, order.after % 1000 * 1000000 };
    nanosleep(&pause, NULL);
    say("acted");
    if (!send_license_error(peer, (BYTE)order.code)) exit(1);
    if (order.mode == LICENSE_ULTIMATUM && !send_ultimatum(peer)) exit(1);
    peer->Disconnect(peer);
    exit(0);
}

// Paints the upper half of the screen, and dies with one more record half sent. What the kernel was
// given it still delivers, so the half is cut off here: the library's socket is replaced by a pair
// of our own, the record read from there, and half of it passed on.
static void crash(freerdp_peer *peer) {
    rdpSettings *settings = peer->context->settings;
    UINT32 width = freerdp_settings_get_uint32(settings, FreeRDP_DesktopWidth);
    UINT32 height = freerdp_settings_get_uint32(settings, FreeRDP_DesktopHeight);
    for (UINT32 top = 0; top < height / 2; top += TILE_HEIGHT)
        for (UINT32 left = 0; left + TILE_WIDTH <= width; left += TILE_WIDTH)
            if (!paint(peer, left, top, TILE_WIDTH, TILE_HEIGHT)) return;
    static char record[TILE_WIDTH * TILE_HEIGHT * 4 + 1024];
    int client = dup(connection), pair[2];
    if (client < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || dup2(pair[0], connection) < 0) return;
    if (!paint(peer, 0, height / 2, TILE_WIDTH, TILE_HEIGHT)) return;
    ssize_t length = read(pair[1], record, sizeof record);
    fcntl(client, F_SETFL, 0); // blocking: a slow client gets all of the half
    if (length <= 0) return;
    say("acted");
    if (write(client, record, (size_t)length / 2) < 0) return;
    if (order.mode == CRASH_RST) {
        // A reset throws away what is not sent yet, and the half would be lost with it.
        struct timespec moment = { .tv_nsec = 1000000 };
        for (int unsent, i = 0; i < 5000 && !ioctl(client, SIOCOUTQ, &unsent) && unsent > 0; i++)
            nanosleep(&moment, NULL);
        struct linger none = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(client, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    }
    kill(getpid(), SIGKILL);
}

// Called before the library does what belongs to a state.
static BOOL reach_state(freerdp_peer *peer, CONNECTION_STATE state) {
    rdpSettings *settings = peer->context->settings;
    // After the negotiation, in which the library takes level none for one that was not chosen.
    if (order.clear && state == CONNECTION_STATE_MCS_CREATE_REQUEST)
        return freerdp_settings_set_bool(settings, FreeRDP_UseRdpSecurityLayer, FALSE) &&
               freerdp_settings_set_uint32(settings, FreeRDP_EncryptionLevel, ENCRYPTION_LEVEL_NONE);
    BOOL licensed = order.mode != LICENSE && order.mode != LICENSE_ULTIMATUM;
    if (!licensed && state == CONNECTION_STATE_LICENSING) refuse_license(peer);
    return TRUE;
}

// What the mode is about; false when the session is over.
static BOOL act(freerdp_peer *peer) {
    if (order.mode == REDIRECT || order.mode == ERRORINFO || order.mode == REPLACE) say("acted");
    switch (order.mode) {
    case REDIRECT:
        return redirect(peer);
    case ERRORINFO:
        return give_reason_and_leave(peer, order.code) && FALSE;
    case REPLACE:
        return give_reason_and_leave(peer, ERRINFO_DISCONNECTED_BY_OTHER_CONNECTION) && FALSE;
    case CRASH:
    case CRASH_RST:
        crash(peer);
        return FALSE;
    default:
        return TRUE;
    }
}

// Serves until the client leaves or the act ends the session.
static void session(freerdp_peer *peer) {
    BOOL painted = FALSE, to_act = order.mode != PLAIN, sent_away = FALSE;
    int64_t clock = 0; // the second it shows
    for (;;) {
        HANDLE events[32];
        DWORD count = peer->GetEventHandles(peer, events, 32);
        if (count == 0) return;
        // Fine enough for the act to be punctual.
        if (WaitForMultipleObjects(count, events, FALSE, 10) == WAIT_FAILED) return;
        if (!peer->CheckFileDescriptor(peer)) return;
        // Who was sent away has only to leave, and its settings are reset by then.
        if (activated < 0 || sent_away) continue;
        int64_t since = now() - activated;
        if (!painted) {
            painted = TRUE;
            for (UINT32 i = 0; i < 20; i++)
                if (!paint(peer, i % 10 * TILE_WIDTH, i / 10 * TILE_HEIGHT, TILE_WIDTH, TILE_HEIGHT)) return;
            if (was_redirected(peer)) to_act = FALSE;
        }
        // A desktop is never quite silent.
        if (clock != since / 1000) {
            clock = since / 1000;
            if (!paint(peer, 0, 0, 32, 8)) return;
        }
        int64_t from = order.mode == REPLACE ? newer_since() : activated;
        if (to_act && from >= 0 && now() - from >= order.after) {
            to_act = FALSE;
            if (!act(peer)) return;
            sent_away = TRUE;
        }
    }
}

// One client, in a process of its own, which is all that a crash kills.
static void serve(void) {
    // By itself the library writes its log among our words.
    WLog_ConfigureAppender(WLog_GetLogAppender(WLog_GetRoot()), "outputstream", (void *)"stderr");
    freerdp_peer *peer = freerdp_peer_new(connection);
    if (!peer || !freerdp_peer_context_new(peer)) return;
    rdpSettings *settings = peer->context->settings;
    rdpCertificate *certificate = freerdp_certificate_new_from_file(order.certificate);
    rdpPrivateKey *key = freerdp_key_new_from_file(order.key);
    const struct {
        FreeRDP_Settings_Keys_Bool key;
        BOOL value;
    } switches[] = {
        { FreeRDP_TlsSecurity, !order.clear }, { FreeRDP_NlaSecurity, FALSE },
        { FreeRDP_ExtSecurity, FALSE },      { FreeRDP_RdpSecurity, order.clear },
        { FreeRDP_RdstlsSecurity, FALSE },   { FreeRDP_NetworkAutoDetect, FALSE },
        { FreeRDP_SupportMultitransport, FALSE }, { FreeRDP_SupportGraphicsPipeline, FALSE },
        { FreeRDP_WaitForOutputBufferFlush, TRUE }, // `crash` counts on nothing being held back
    };
    BOOL good = certificate && key &&
                freerdp_settings_set_pointer_len(settings, FreeRDP_RdpServerCertificate, certificate, 1) &&
                freerdp_settings_set_pointer_len(settings, FreeRDP_RdpServerRsaKey, key, 1);
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        good = good && freerdp_settings_set_bool(settings, switches[i].key, switches[i].value);
    peer->PostConnect = post_connect;
    peer->Activate = activate;
    peer->ReachedState = reach_state;
    if (good && peer->Initialize(peer))
        session(peer);
    else
        fprintf(stderr, "no server with %s and %s\n", order.certificate, order.key);
    peer->Disconnect(peer);
    freerdp_peer_context_free(peer);
    freerdp_peer_free(peer);
}

static int listen_at(unsigned long port) {
    int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, off = 0;
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    if (listener < 0) return -1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64)) return -1;
    return listener;
}

static BOOL understand(int count, char **words) {
    static const struct {
        const char *name;
        int words;
        enum mode mode;
        BOOL clear;
    } modes[] = {
        { "plain", 0, PLAIN, FALSE },
        { "redirect", 3, REDIRECT, FALSE },
        { "errorinfo", 2, ERRORINFO, FALSE },
        { "replace", 1, REPLACE, FALSE },
        { "crash", 1, CRASH, FALSE },
        { "crash-rst", 1, CRASH_RST, FALSE },
        { "clear", 0, PLAIN, TRUE },
        { "clear-errorinfo", 2, ERRORINFO, TRUE },
        { "clear-license", 2, LICENSE, TRUE },
        { "clear-license-ultimatum", 2, LICENSE_ULTIMATUM, TRUE },
    };
    if (count < 5) return FALSE;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(words[4], modes[i].name) != 0 || count != 5 + modes[i].words) continue;
        order.mode = modes[i].mode;
        order.clear = modes[i].clear;
        order.certificate = words[2];
        order.key = words[3];
        if (modes[i].words > 0) order.after = strtol(words[count - 1], NULL, 0);
        if (modes[i].words == 2) order.code = strtoul(words[5], NULL, 0);
        if (order.mode == REDIRECT) {
            order.address = strcmp(words[5], "-") ? words[5] : NULL;
            order.token = strcmp(words[6], "-") ? words[6] : NULL;
        }
        return TRUE;
    }
    return FALSE;
}

int main(int count, char **words) {
    if (!understand(count, words)) {
        fprintf(stderr, "usage: %s PORT CERT.pem KEY.pem plain | redirect ADDRESS TOKEN MS |"
                        " errorinfo CODE MS | replace MS | crash MS | crash-rst MS | clear |"
                        " clear-errorinfo CODE MS | clear-license CODE MS |"
                        " clear-license-ultimatum CODE MS\n", words[0]);
        return 2;
    }
    int listener = listen_at(strtoul(words[1], NULL, 10));
    if (listener < 0) {
        perror(words[1]);
        return 1;
    }
    if (!make_seats()) {
        perror("mmap");
        return 1;
    }
    signal(SIGCHLD, SIG_IGN); // nobody waits for the clients' processes
    signal(SIGPIPE, SIG_IGN);
    say("ready");
    for (;;) {
        connection = accept(listener, NULL, NULL);
        if (connection < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            perror("accept");
            return 1;
        }
        // The library is not touched before the fork: its threads would not survive one.
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM); // no session outlives the server
            close(listener);
            signal(SIGCHLD, SIG_DFL);
            serve();
            exit(0);
        }
        close(connection);
    }
}
