// PDUs that FreeRDP's library has no call for. They go through its transport, as its own do.
#pragma once
#include <freerdp/freerdp.h>
#include <freerdp/peer.h>
#include <freerdp/transport_io.h>
#include <winpr/stream.h>

static BOOL write_pdu(freerdp_peer *peer, const BYTE *pdu, size_t length) {
    wStream *stream = Stream_New(NULL, length);
    if (!stream) return FALSE;
    Stream_Write(stream, pdu, length);
    Stream_SealLength(stream);
    // The transport releases the stream.
    return freerdp_get_io_callbacks(peer->context)
               ->WritePdu(freerdp_get_transport(peer->context), stream) >= 0;
}

// The server's last word, whatever the reason.
static BOOL send_ultimatum(freerdp_peer *peer) {
    static const BYTE ultimatum[] = {
        3, 0, 0, 9,    // TPKT
        2, 0xf0, 0x80, // X.224 data
        0x20, 0x80,    // MCS DisconnectProviderUltimatum, rn-provider-initiated
    };
    return write_pdu(peer, ultimatum, sizeof ultimatum);
}

// A licensing error message that ends the connection ([MS-RDPBCGR] 2.2.1.12), in clear and laid out as
// the library writes the one that says all is well.
static BOOL send_license_error(freerdp_peer *peer, BYTE code) {
    const BYTE error[] = {
        3, 0, 0, 35,                // TPKT
        2, 0xf0, 0x80,              // X.224 data
        0x68, 0, 1, 3, 0xeb, 0x70,  // MCS Send Data Indication of the I/O channel
        0x80, 20,                   // length of what follows
        0x80, 0, 0, 0,              // SEC_LICENSE_PKT
        0xff, 3, 16, 0,             // ERROR_ALERT, version 3.0
        code, 0, 0, 0,              // dwErrorCode
        1, 0, 0, 0,                 // ST_TOTAL_ABORT
        4, 0, 0, 0,                 // BB_ERROR_BLOB, empty
    };
    return write_pdu(peer, error, sizeof error);
}
