/** System instructions; see {@link parseForms} for the words. */
export const SYSTEM_TABLE = `
hlt                        | f4
cli                        | fa
sti                        | fb
cpuid                      | 0f a2
rdtsc                      | 0f 31
rdtscp                     | 0f 01 f9
rdpmc                      | 0f 33
rdmsr                      | 0f 32
wrmsr                      | 0f 30
clts                       | 0f 06
invd                       | 0f 08
wbinvd                     | 0f 09
invlpg   m                 | 0f 01 /7
swapgs                     | 0f 01 f8
monitor                    | 0f 01 c8
mwait                      | 0f 01 c9
xgetbv                     | 0f 01 d0
xsetbv                     | 0f 01 d1
vmmcall                    | 0f 01 d9
vmrun                      | 0f 01 d8
stgi                       | 0f 01 dc
clgi                       | 0f 01 dd
clac                       | 0f 01 ca
stac                       | 0f 01 cb
rsm                        | 0f aa
syscall                    | 0f 05
sysret                     | 0f 07
sysretq                    | o64 0f 07
sysenter                   | 0f 34
sysexit                    | 0f 35
sysexitq                   | o64 0f 35
iret                       | cf
iretw                      | o16 cf
iretd                      | o32 cf
iretq                      | o64 cf
lgdt     m                 | 0f 01 /2
lidt     m                 | 0f 01 /3
sgdt     m                 | 0f 01 /0
sidt     m                 | 0f 01 /1
lldt     rm16              | 0f 00 /2 w0
ltr      rm16              | 0f 00 /3 w0
lldt     q32               | 0f 00 /2 w0
ltr      q32               | 0f 00 /3 w0
verr     rm16              | 0f 00 /4 w0
verw     rm16              | 0f 00 /5 w0
sldt     m16               | 0f 00 /0 w0
sldt     q16               | 0f 00 /0
sldt     q32               | 0f 00 /0
sldt     q64               | 0f 00 /0 w0
str      m16               | 0f 00 /1 w0
str      qv                | 0f 00 /1
smsw     m16               | 0f 01 /4 w0
smsw     qv                | 0f 01 /4
lmsw     rm16              | 0f 01 /6 w0
lmsw     q32               | 0f 01 /6 w0
lar      rv,m16            | 0f 02 /r
lar      rv,q16            | 0f 02 /r
lar      rv,q32            | 0f 02 /r
lar      rv,qv             | 0f 02 /r
lsl      rv,m16            | 0f 03 /r
lsl      rv,q16            | 0f 03 /r
lsl      rv,q32            | 0f 03 /r
lsl      rv,qv             | 0f 03 /r
arpl     rm16,r16          | 63 /r w0 n64
prefetch   m               | 0f 0d /0
prefetchw  m               | 0f 0d /1
prefetchnta m              | 0f 18 /0
prefetcht0 m               | 0f 18 /1
prefetcht1 m               | 0f 18 /2
prefetcht2 m               | 0f 18 /3
clflush  m                 | 0f ae /7
clflushopt m               | p66 0f ae /7
lfence                     | 0f ae e8
mfence                     | 0f ae f0
sfence                     | 0f ae f8
ldmxcsr  m32               | 0f ae /2
stmxcsr  m32               | 0f ae /3
fxsave   m                 | 0f ae /0
fxrstor  m                 | 0f ae /1
fxsave64 m                 | o64 0f ae /0
fxrstor64 m                | o64 0f ae /1
xsave    m                 | 0f ae /4
xrstor   m                 | 0f ae /5
rdfsbase qy                | pf3 0f ae /0
rdgsbase qy                | pf3 0f ae /1
wrfsbase qy                | pf3 0f ae /2
wrgsbase qy                | pf3 0f ae /3
`;
