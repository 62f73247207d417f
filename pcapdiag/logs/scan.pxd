# The C types of scan.py, for the compiler; see walker.pxd.

cimport cython

ctypedef Py_ssize_t place

cdef place MAX_LINE, _REACH, _NAME
cdef int OVER, SLOW, GIVEN, SETTLE, ANY, ASA, CHARON
cdef bytes _GROUPS, _PAIRS
cdef bint _INTERPRETED
cdef list _LISTED


cdef class Known:
    cdef public object said
    cdef public str text
    cdef public bint plain, single, counted
    cdef public list row


cdef class Scan:
    cdef public place number, other, plain
    cdef public int format
    cdef public dict kept
    cdef public bint waits, marked
    cdef public Known held, given
    cdef public bytes held_buffer, given_buffer, when_buffer
    cdef public place held_number, held_start, held_stop, held_when, held_thread, held_name
    cdef public place given_number, given_start, given_when, given_thread, given_name
    cdef public place start, stop, when_start, when_stop
    cdef place _when, _text, _end, _thread, _name
    cdef object _ahead

    @cython.locals(mark=place, stop=place, known=Known, handed=bint)
    cpdef int run(self, bytes buffer, place position, place end) except? -99
    @cython.locals(begin=place, rows=list)
    cdef place _skip(self, bytes buffer, place position, place end) except? -99
    @cython.locals(known=Known)
    cdef bint _settle(self) except? -99
    @cython.locals(row=list)
    cdef void _count(self, Known known)
    @cython.locals(at=place, octet=int)
    cdef bint _split_charon(self, bytes buffer, place start, place stop) except? -99
    @cython.locals(text=place, name=place, end=place)
    cdef bint _split_behind(self, bytes buffer, place at, place stop) except? -99
    @cython.locals(at=place, head=bint)
    cdef bint _split_asa(self, bytes buffer, place start, place stop) except? -99


@cython.locals(octet=int, before=int, where=place)
cpdef place find_mark(bytes buffer, place at, place end) except? -99

cdef place line_end(bytes buffer, place at, place end) except? -99

@cython.locals(before=place, mark=bytes)
cdef bint is_mark(bytes buffer, place at, place end, place where) except? -99

cdef bint is_blank(bytes buffer, place start, place stop) except? -99

cdef bint is_digit(int octet)

@cython.locals(one=int, two=int, three=int, where=place)
cdef bint is_group(bytes buffer, place at)

cdef bint asa_bracket(bytes buffer, place at, place stop)

@cython.locals(where=place)
cdef bint asa_number(bytes buffer, place at, place stop) except? -99
