# The C types of walker.py, for the compiler. What is declared with cpdef can be called from Python as well.

cimport cython

ctypedef unsigned long long u64
ctypedef Py_ssize_t place

cdef int AH, ARP, ARP_LAYER, BLOCK, CISCO_PORT, DAMAGED, DATAGRAM, ESP, ESP_PROTOCOL, FAMILY_IPV4, FRAGMENT, GENEVE, GENEVE_PORT
cdef int HEADER, ICMP, ICMP6_PROTOCOL, ICMP_PROTOCOL, IPV4, IPV6, ISAKMP_HEADER, KEEPALIVE, KEY_ETHERTYPE
cdef int KEY_FAMILY, KEY_FRAGMENT4, KEY_IP, KEY_LLC, KEY_REST, KEY_UDP, LINK_ETHERNET
cdef int LLC, MAX_TAGS, MORE, NAT_T_PORT
cdef int OTHER, PPP, PPPOE, STREAM, TCP, TUNNEL, UDP, UNKNOWN_LINK, UNREADABLE, VXLAN, VXLAN_PORT, _KEYS, _SLOT, _SLOTS
cdef bytes EXCHANGE_TYPES


cdef class Flows:
    cdef public dict rows
    cdef public u64 overflow
    cdef u64[::1] _near
    cdef list _keys

    cpdef void count(self, bytes key, object number, object time)
    @cython.locals(row=list)
    cpdef void add(self, bytes key, object packets, object first, object last, object first_time, object last_time)
    @cython.locals(ip=place, at=place, ends=u64, flow=u64, slot=place, where=place, key=bytes)
    cpdef void count_near(self, bytes buffer, Found found, u64 number, u64 time)
    @cython.locals(slot=place, row=list)
    cdef void _settle(self, place where)


cpdef bytes flow_key(bytes buffer, Found found)


cdef class Tally:
    cdef public u64 frames, datagrams, icmp_errors, ip_fragments, nat_keepalives, esp, unreadable, snapped
    cdef public list ip
    cdef public dict others
    cdef public Flows flows
    cdef u64[::1] _near

    cpdef void count_other(self, object key, object frames=*)
    @cython.locals(where=place)
    cpdef void count_near(self, u64 key)
    cdef void _settle(self, place where)


cdef class Link:
    cdef public object fields, divide, offset
    cdef public int type, ipv4, ipv6, fragment
    cdef public bint little, seen
    cdef public place header, reach, limit, ip
    cdef public u64 identifier, multiply, ticks, snaplen, exact, oldest, newest, latest

    cpdef void passed(self, u64 oldest, u64 newest, u64 latest)


cdef class Found:
    cdef public place position, start, stop, wire, ip, limit, packet, transport, declared
    cdef public u64 ticks
    cdef public int version, layer, key
    cdef public bint ports


@cython.locals(header=place, limit=place, little=bint, per_second=u64, room=place, frames=u64, snapped=u64,
               oldest=u64, newest=u64, ticks=u64, kind=int, captured=place, start=place, stop=place, original=place)
cpdef int scan_pcap(
    bytes buffer, place position, place end, Link link, bytes ports, Tally tally, Found found
) except? -99

@cython.locals(little=bint, mine=u64, room=place, frames=u64, snapped=u64, oldest=u64, newest=u64, ticks=u64,
               kind=int, length=place, captured=place, start=place, stop=place, following=place, original=place)
cpdef int scan_pcapng(
    bytes buffer, place position, place end, Link link, bytes ports, Tally tally, Found found
) except? -99

@cython.locals(kind=int)
cdef int _judge(
    bytes buffer, place start, place stop, place size, u64 ticks, u64 number, Link link, bytes ports,
    Tally tally, Found found
) except? -99

@cython.locals(size=place, field=place)
cpdef int locate(bytes buffer, place at, place end, int link_type, bytes ports, Found found) except? -99

cdef int _locate_raw(bytes buffer, place at, place end, bytes ports, Found found) except? -99

@cython.locals(family=u64)
cdef int _locate_loopback(bytes buffer, place at, place end, bytes ports, Found found) except? -99

@cython.locals(tags=int)
cpdef int locate_layer(bytes buffer, int layer, place at, place end, bytes ports, Found found) except? -99

cpdef bint is_tag(int layer)

cdef int _inside(int layer, place at, place end, Found found) except? -99

@cython.locals(header=place, total=place, packet=place, limit=place, protocol=int)
cdef int _locate_ipv4(bytes buffer, place ip, place end, bytes ports, Found found) except? -99

@cython.locals(payload=place, packet=place, limit=place)
cdef int _locate_ipv6(bytes buffer, place ip, place end, bytes ports, Found found) except? -99

cpdef int locate_transport(bytes buffer, int protocol, place at, place limit, bytes ports, Found found) except? -99

cdef int _locate_rest(bytes buffer, int protocol, place at, place limit, Found found) except? -99

@cython.locals(source=int, destination=int)
cdef bint is_stream(bytes buffer, place at, int protocol)

@cython.locals(source=int, destination=int, length=place, declared=place, at=place, stop=place)
cpdef int locate_udp(bytes buffer, place udp, place limit, bytes ports, Found found) except? -99

@cython.locals(lower=int)
cdef int _udp_key(int source, int destination, bytes ports)

@cython.locals(size=place)
cdef int _locate_nat_traversal(bytes buffer, place at, place stop, place declared, Found found) except? -99

@cython.locals(version=int)
cpdef bint is_isakmp(bytes buffer, place at, place stop, place declared)

@cython.locals(value=u64)
cdef u64 _octets(bytes buffer, place at)

@cython.locals(value=u64)
cdef u64 _word(bytes buffer, place at, bint little)
