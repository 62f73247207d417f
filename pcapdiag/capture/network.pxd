# The C types of network.py, for the compiler; see walker.pxd.

cimport cython

from pcapdiag.capture.walker cimport Found, Link, Tally, flow_key, is_isakmp, locate, locate_layer, locate_transport
from pcapdiag.capture.walker cimport locate_udp, place, u64


cdef class Network:
    cdef public list ready
    cdef public object evicted, streams
    cdef public Tally tally
    cdef public bytes ports
    cdef public dict unsupported
    cdef bint _waits
    cdef object _capture, _reassembly
    cdef set _pairs, _older_pairs
    cdef public bytes authenticated
    cdef public object asked

    @cython.locals(tally=Tally, kind=int)
    cpdef int run(self, object scan, bytes buffer, place position, place end, Link link, Found found) except? -99

    @cython.locals(time=object)
    cpdef take(self, int kind, bytes buffer, Found found, Link link, object number)
    cdef _take_datagram(self, bytes buffer, Found found, object number, object time)
    cdef _take_rest(self, int kind, bytes buffer, Found found, object number, object time)
    cdef _remember_pair(self, bytes pair)


@cython.locals(ip=place)
cdef bytes _pair(bytes buffer, int version, place ip)

@cython.locals(ip=place, udp=place, stop=place, half=place, four=bint)
cdef _datagram(bytes buffer, Found found, bytes pair, object frame, object time)
