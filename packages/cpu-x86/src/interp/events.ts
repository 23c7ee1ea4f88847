import type { Val } from '@sterna/wasm';
import { Before, forgetHostHits, hostAfter, hostBefore } from '../debug/host-debug.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { Flag, Leave, PAGE_WAIT, Seg, Shadow, Vec } from '../semantics/vectors.ts';
import { HOST_DEBUG } from '../state/cells-debug.ts';
import { instructionHit } from '../system/debug.ts';
import { deliverFault, deliverHeld, deliverInterrupt, takeDebugTrap } from '../system/deliver.ts';
import { CODE_LIMITED } from '../system/mode.ts';
import { irqAck } from './host.ts';
import { find } from './lookup.ts';
import { ADDR, Handler, REC } from './records.ts';

/** Values run() returns; the numbers of core's CpuExit. */
export const Exit = { BUDGET: 0, HALT: 1, SHUTDOWN: 2, PAGE_WAIT: 3, DEBUG: 4, REQUEST: 5 } as const;

/**
 * What happens between instructions: takes a Leave code and the record it came from, delivers exceptions and interrupts,
 * accounts the budget, and returns the next record, or 0 when run() shall return exitReason.
 */
export const between: Micro = micro('between', ['i32', 'i32'], ['i32'], (m) => {
  const code = m.param('i32', 0);
  const rec = m.param('i32', 1);
  const stop = (reason: number): void => {
    m.put('exitReason', reason);
    m.return(m.i32(0));
  };
  const setRip = (): void => {
    // a LINK stands for the instruction it leads to, which may be in the next page
    const isLink = m.eq(m.load('i32.16u', rec, REC.handler), Handler.LINK);
    const offset = m.select(isLink, m.load('i64.32s', rec, REC.imm), m.and(m.load('i64.16u', rec, REC.pos), 0xfff));
    const linear = m.add(m.get('pcPage'), offset);
    // running on past 64 KiB does not wrap: it is beyond the limit
    const mask = m.select(isLink, m.or(m.get('ipMask'), 0xffff_ffff), m.get('ipMask'));
    m.put('rip', m.and(m.sub(linear, m.get('segEff', Seg.CS)), mask));
  };
  const uncount = (): void => m.put('icLeft', m.add(m.get('icLeft'), 1));
  // deliveries that do not succeed have set exitReason: shut down, or wait for a page
  const shutDownIf = (status: Val<'i32'>): void => m.if(status, () => m.return(m.i32(0)), undefined, false);
  m.if(m.eq(code, Leave.EXIT), () => m.return(m.i32(0)));
  m.if(
    m.eq(code, Leave.FAULT_AT),
    () => {
      m.set(rec, m.get('faultRecord'));
      m.set(code, Leave.FAULT);
    },
    undefined,
    false,
  );
  m.if(m.eq(code, Leave.BUDGET), () => {
    setRip();
    uncount();
  });
  m.if(m.eq(code, Leave.RETRY), () => {
    setRip();
    uncount();
    m.return(m.i32(0));
  });
  m.loop((again) => {
    m.if(m.or(m.eq(code, Leave.FAULT), m.eq(code, Leave.FETCH_FAULT)), () => {
      m.if(m.eq(code, Leave.FAULT), () => {
        setRip();
        // a non-canonical operand based on RSP or RBP is a stack fault
        const operand = m.and(m.load('i32.8u', rec, REC.scale), ADDR.stack);
        const nonCanonical = m.and(m.eq(m.get('excVector'), Vec.GP), m.eq(m.get('excAddr'), -1));
        m.if(m.and(nonCanonical, m.ne(operand, 0)), () => m.put('excVector', Vec.SS));
      });
      m.put('excAddr', m.select(m.eq(m.get('excVector'), Vec.PF), m.get('excAddr'), 0));
      // the instruction that was to be single-stepped or met a watched range did not complete
      m.put('trapArmed', 0);
      m.put('watchHit', 0);
      forgetHostHits(m);
      m.if(m.eq(m.get('excVector'), PAGE_WAIT), () => {
        m.put('hostStepped', 0);
        m.if(m.eq(code, Leave.FAULT), uncount);
        stop(Exit.PAGE_WAIT);
      });
      shutDownIf(m.invoke(deliverFault));
    });
    m.set(code, Leave.REFETCH);
    m.put('icLeft', m.add(m.get('icLeft'), m.get('icRest')));
    m.put('icRest', 0);
    // the single-step trap of the instruction that just finished comes before anything else
    const trap = m.let(m.or(m.shl(m.get('trapArmed'), 14), m.get('watchHit')));
    m.if(
      trap,
      () => {
        m.put('trapArmed', 0);
        m.put('watchHit', trap);
        // after MOV SS and POP SS also traps wait for one instruction
        m.if(m.ne(m.get('shadow'), Shadow.STACK), () => {
          m.put('watchHit', 0);
          shutDownIf(m.invoke(takeDebugTrap, trap));
        });
      },
      undefined,
      false,
    );
    m.if(m.get('hostDebug'), () => m.if(m.invoke(hostAfter), () => stop(Exit.DEBUG)), undefined, false);
    m.if(m.get('heldEvent'), () => shutDownIf(m.invoke(deliverHeld)), undefined, false);
    // interrupts wait for one instruction after STI, and while a debugger steps
    m.if(m.eqz(m.or(m.get('shadow'), m.and(m.get('hostDebug'), HOST_DEBUG.MASK))), () => {
      m.if(
        m.and(m.get('nmiPending'), m.eqz(m.get('nmiBlocked'))),
        () => {
          m.put('nmiPending', 0);
          shutDownIf(m.invoke(deliverInterrupt, m.i32(Vec.NMI), m.i32(1)));
        },
        undefined,
        false,
      );
      m.if(
        m.and(m.ne(m.get('irqLine'), 0), m.ne(m.and(m.get('eflags'), Flag.IF), 0)),
        () => {
          const vector = m.hostCall(irqAck);
          m.if(m.geS(vector, 0), () => shutDownIf(m.invoke(deliverInterrupt, vector, m.i32(0))));
        },
        undefined,
        false,
      );
    });
    m.if(m.leS(m.get('icLeft'), 0), () => stop(Exit.BUDGET));
    m.if(m.get('request'), () => stop(Exit.REQUEST), undefined, false);
    const host = m.local('i32');
    m.set(host, Before.GO);
    m.if(m.get('hostDebug'), () => m.set(host, m.invoke(hostBefore)), undefined, false);
    m.if(m.eq(host, Before.STOP), () => stop(Exit.DEBUG), undefined, false);
    const single = m.let(m.ne(m.and(m.get('eflags'), Flag.TF), 0));
    m.put('trapArmed', single);
    m.if(
      m.get('debugActive'),
      () => {
        m.set(single, 1);
        // RF lets the instruction pass that IRET returned to
        const resume = m.let(m.and(m.get('eflags'), Flag.RF));
        m.put('eflags', m.and(m.get('eflags'), ~Flag.RF));
        // behind a load of SS only AMD's processors stop
        const behindStack = m.and(m.eq(m.get('shadow'), Shadow.STACK), m.get('intelRules'));
        m.if(m.eqz(m.or(resume, behindStack)), () => {
          const hit = m.let(m.invoke(instructionHit));
          m.if(hit, () => {
            m.put('trapArmed', 0);
            const waiting = m.let(m.get('watchHit'));
            m.put('watchHit', 0);
            shutDownIf(m.invoke(takeDebugTrap, m.or(hit, waiting)));
            m.br(again);
          });
        });
      },
      undefined,
      false,
    );
    m.if(
      m.or(m.or(single, host), m.get('shadow')),
      () => {
        m.put('icRest', m.sub(m.get('icLeft'), 1));
        m.put('icLeft', 1);
        m.put('shadow', 0);
      },
      undefined,
      false,
    );
    const found = m.let(m.invoke(find));
    m.set(code, found);
    m.if(
      m.and(m.geU(found, 16), m.ne(m.and(m.get('debugActive'), CODE_LIMITED), 0)),
      () => {
        const length = m.shrU(m.load('i64.16u', found, REC.pos), 12);
        const last = m.sub(m.add(m.get('rip'), length), 1);
        const isInstruction = m.geU(m.load('i32.16u', found, REC.handler), Handler.first);
        m.if(m.and(isInstruction, m.gtU(last, m.extU(m.get('segLimit', Seg.CS)))), () => {
          m.put('excVector', Vec.GP);
          m.put('excError', 0);
          m.set(code, Leave.FETCH_FAULT);
        });
      },
      undefined,
      false,
    );
    m.if(m.geU(code, 16), () => m.return(found), undefined, true);
    m.br(again);
  });
  m.unreachable();
});
