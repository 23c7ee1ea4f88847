/** x87 instructions; see {@link parseForms} for the words. */
export const X87_TABLE = `
fld      m32               | d9 /0
fld      m64               | dd /0
fld      m80               | db /5
fld      st                | d9 c0 +r
fst      m32               | d9 /2
fst      m64               | dd /2
fst      st                | dd d0 +r
fstp     m32               | d9 /3
fstp     m64               | dd /3
fstp     m80               | db /7
fstp     st                | dd d8 +r
fild     m16               | df /0
fild     m32               | db /0
fild     m64               | df /5
fist     m16               | df /2
fist     m32               | db /2
fistp    m16               | df /3
fistp    m32               | db /3
fistp    m64               | df /7
fisttp   m16               | df /1
fisttp   m32               | db /1
fisttp   m64               | dd /1
fbld     m80               | df /4
fbstp    m80               | df /6
fxch                       | d9 c9
fxch     st                | d9 c8 +r
fxch     st0,st            | d9 c8 +r
fxch     st,st0            | d9 c8 +r
fcom                       | d8 d1
fcom     m32               | d8 /2
fcom     m64               | dc /2
fcom     st                | d8 d0 +r
fcom     st0,st            | d8 d0 +r
fcomp                      | d8 d9
fcomp    m32               | d8 /3
fcomp    m64               | dc /3
fcomp    st                | d8 d8 +r
fcomp    st0,st            | d8 d8 +r
fcompp                     | de d9
fucom                      | dd e1
fucom    st                | dd e0 +r
fucom    st0,st            | dd e0 +r
fucomp                     | dd e9
fucomp   st                | dd e8 +r
fucomp   st0,st            | dd e8 +r
fucompp                    | da e9
fcomi                      | db f1
fcomi    st                | db f0 +r
fcomi    st0,st            | db f0 +r
fcomip                     | df f1
fcomip   st                | df f0 +r
fcomip   st0,st            | df f0 +r
fucomi                     | db e9
fucomi   st                | db e8 +r
fucomi   st0,st            | db e8 +r
fucomip                    | df e9
fucomip  st                | df e8 +r
fucomip  st0,st            | df e8 +r
fcmovb   st                | da c0 +r
fcmovb   st0,st            | da c0 +r
fcmove   st                | da c8 +r
fcmove   st0,st            | da c8 +r
fcmovbe  st                | da d0 +r
fcmovbe  st0,st            | da d0 +r
fcmovu   st                | da d8 +r
fcmovu   st0,st            | da d8 +r
fcmovnb  st                | db c0 +r
fcmovnb  st0,st            | db c0 +r
fcmovne  st                | db c8 +r
fcmovne  st0,st            | db c8 +r
fcmovnbe st                | db d0 +r
fcmovnbe st0,st            | db d0 +r
fcmovnu  st                | db d8 +r
fcmovnu  st0,st            | db d8 +r
fchs                       | d9 e0
fabs                       | d9 e1
ftst                       | d9 e4
fxam                       | d9 e5
fld1                       | d9 e8
fldl2t                     | d9 e9
fldl2e                     | d9 ea
fldpi                      | d9 eb
fldlg2                     | d9 ec
fldln2                     | d9 ed
fldz                       | d9 ee
f2xm1                      | d9 f0
fyl2x                      | d9 f1
fptan                      | d9 f2
fpatan                     | d9 f3
fxtract                    | d9 f4
fprem1                     | d9 f5
fdecstp                    | d9 f6
fincstp                    | d9 f7
fprem                      | d9 f8
fyl2xp1                    | d9 f9
fsqrt                      | d9 fa
fsincos                    | d9 fb
frndint                    | d9 fc
fscale                     | d9 fd
fsin                       | d9 fe
fcos                       | d9 ff
fnop                       | d9 d0
ffree    st                | dd c0 +r
ffreep   st                | df c0 +r
fninit                     | db e3
finit                      | 9b db e3
fnclex                     | db e2
fclex                      | 9b db e2
fldcw    m16               | d9 /5
fnstcw   m16               | d9 /7
fstcw    m16               | 9b d9 /7
fnstsw   ax                | df e0
fnstsw   m16               | dd /7
fstsw    ax                | 9b df e0
fstsw    m16               | 9b dd /7
fldenv   m                 | d9 /4
fnstenv  m                 | d9 /6
fstenv   m                 | 9b d9 /6
frstor   m                 | dd /4
fnsave   m                 | dd /6
fsave    m                 | 9b dd /6
fwait,wait                 | 9b
emms                       | 0f 77
`;

const hex = (value: number): string => value.toString(16).padStart(2, '0');

/** Arithmetic with its operand orders: `fsub st1,st0` and `fsubr st1,st0` are crossed in the DC and DE rows. */
export function repeatedX87Forms(): string {
  const lines: string[] = [];
  const operations = ['add', 'mul', '', '', 'sub', 'subr', 'div', 'divr'];
  operations.forEach((name, digit) => {
    if (name === '') return;
    const direct = hex(0xc0 + digit * 8);
    const crossed = hex(0xc0 + (digit >= 4 ? digit ^ 1 : digit) * 8);
    lines.push(
      `f${name} m32 | d8 /${digit}`,
      `f${name} m64 | dc /${digit}`,
      `f${name} st0,st | d8 ${direct} +r`,
      `f${name} st,st0 | dc ${crossed} +r`,
      `f${name} st | d8 ${direct} +r`,
      `f${name} | de ${hex(Number.parseInt(crossed, 16) + 1)}`,
      `f${name}p st,st0 | de ${crossed} +r`,
      `f${name}p st | de ${crossed} +r`,
      `f${name}p | de ${hex(Number.parseInt(crossed, 16) + 1)}`,
      `fi${name} m16 | de /${digit}`,
      `fi${name} m32 | da /${digit}`,
    );
  });
  lines.push('ficom m16 | de /2', 'ficom m32 | da /2', 'ficomp m16 | de /3', 'ficomp m32 | da /3');
  return lines.join('\n');
}
